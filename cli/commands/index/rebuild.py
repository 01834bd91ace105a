"""Rebuild both lost stores from their durable copies in Kafka, on this machine or another one.

The catalogue comes from catalogue-records, features from image-features;
neither forgets. The streaming job must not run (it owns the stores): vitrine
stop, then vitrine start --only kafka, then this, then vitrine start.
"""

from __future__ import annotations

import argparse
from collections.abc import Iterator

from cli.commands.index import rebuild_features
from feature_store.open import catalogue_is_missing, restored_catalogue
from feature_store.recorded import restore_catalogue
from jobs.pipeline.log_epoch import note_after_loss
from messaging.admin import describe
from messaging.ranges import read_range
from schemas.access.kafka import Kafka
from schemas.errors import OperatorError, TransientError
from schemas.settings import load_settings
from schemas.topics import CATALOGUE_RECORDS, PRODUCT_EVENTS

NAME = "rebuild"


def add_arguments(parser: argparse.ArgumentParser) -> None:
    rebuild_features.add_arguments(parser)


def run(arguments: argparse.Namespace) -> int:
    settings = load_settings()
    if not catalogue_is_missing(settings):
        where = settings.store_server or settings.layout.catalogue_store
        raise OperatorError(
            f"there is a catalogue store at {where}, and what it has would be written over; move it away first, or "
            f"run vitrine rebuild-features for the features alone"
        )
    try:
        found = describe(settings.kafka, [CATALOGUE_RECORDS, PRODUCT_EVENTS])
    except TransientError as error:
        raise OperatorError(f"{error.detail}; start it alone by vitrine start --only kafka") from error
    if CATALOGUE_RECORDS not in found or not any(found[CATALOGUE_RECORDS].ends):
        raise OperatorError(
            f"{settings.bootstrap} has no product in {CATALOGUE_RECORDS}; vitrine start reads product-events instead"
        )
    state = found[CATALOGUE_RECORDS]
    spans = list(zip(state.beginnings, state.ends, strict=True))
    with restored_catalogue(settings) as store:
        report = restore_catalogue(_records(settings.kafka, spans), store, settings.event_partitions)
    if PRODUCT_EVENTS in found:
        note_after_loss(settings.kafka, settings.layout.log_epoch, report.newest)
    print(f"{report.products} products written, of {report.read} records; {report.refused} refused")
    return max(1 if report.refused else 0, rebuild_features.run(arguments))


def _records(kafka: Kafka, spans: list[tuple[int, int]]) -> Iterator[tuple[bytes | None, bytes | None]]:
    """Key and value of every record up to the ends."""
    for partition, (begin, end) in enumerate(spans):
        for message in read_range(kafka, CATALOGUE_RECORDS, partition, begin, end, compacted=True):
            yield message.key, message.value
