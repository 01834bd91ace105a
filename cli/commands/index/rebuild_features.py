"""Rebuild a lost or damaged feature store from image-features, its durable copy.

The streaming job must not run (it owns the store): vitrine stop, then
vitrine start --only kafka, then this.
"""

from __future__ import annotations

import argparse
from collections.abc import Iterator
from typing import Never

from tqdm import tqdm

from feature_store.open import live_features, make_features
from feature_store.rebuild import rebuild
from messaging.admin import describe
from messaging.ranges import read_range
from schemas.access.kafka import Kafka
from schemas.errors import OperatorError, TransientError
from schemas.settings import load_settings
from schemas.topics import IMAGE_FEATURES

NAME = "rebuild-features"


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--quiet", action="store_true", help="no progress bar")


def run(arguments: argparse.Namespace) -> int:
    settings = load_settings()
    try:
        found = describe(settings.kafka, [IMAGE_FEATURES])
    except TransientError as error:
        raise OperatorError(f"{error.detail}; start it alone by vitrine start --only kafka") from error
    if IMAGE_FEATURES not in found:
        raise OperatorError(
            f"{settings.bootstrap} has no topic {IMAGE_FEATURES}; vitrine start --only kafka creates it"
        )
    make_features(settings)
    state = found[IMAGE_FEATURES]
    spans = list(zip(state.beginnings, state.ends, strict=True))
    total = sum(end - begin for begin, end in spans)
    with tqdm(
        total=total, desc="rebuilding features", unit=" records", disable=True if arguments.quiet else None
    ) as bar:
        report = rebuild(_records(settings.kafka, spans, bar), live_features(settings))
    print(
        f"{report.written} features written, {report.superseded} older ones passed over, "
        f"{report.removed} removed, {report.refused} refused"
    )
    return 1 if report.refused else 0


def _records(
    kafka: Kafka, spans: list[tuple[int, int]], bar: tqdm[Never]
) -> Iterator[tuple[bytes | None, bytes | None]]:
    """Key and value of every record up to the ends; an image's records all lie in one partition, in order."""
    for partition, (begin, end) in enumerate(spans):
        for message in read_range(kafka, IMAGE_FEATURES, partition, begin, end, compacted=True):
            yield message.key, message.value
            bar.update(1)
