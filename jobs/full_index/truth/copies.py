"""Copies of the stores for one replay: RocksDB checkpoints, taken from the owners while the stream runs on."""

from __future__ import annotations

import logging
import time
from collections.abc import Iterator
from pathlib import Path

from feature_store.copies import request_checkpoint
from feature_store.open import catalogue_store, feature_store
from feature_store.rebuild import RebuildReport, rebuild
from feature_store.rocks.files import partition_folder, read_store_info
from messaging.admin import describe
from messaging.ranges import read_range
from schemas.access.kafka import Kafka
from schemas.topics import IMAGE_FEATURES

log = logging.getLogger(__name__)


def copy_store(store: Path, copy: Path, partitions: int) -> None:
    """Copies every partition; a store that does not exist (nothing was ever written) gives an empty copy."""
    copy.mkdir(parents=True)
    if read_store_info(store) is None:
        return
    started = time.monotonic()
    for partition in range(partitions):
        request_checkpoint(store, partition, partition_folder(copy, partition))
    log.info("event=store_copied store=%s copy=%s took_s=%.2f", store, copy, time.monotonic() - started)


def complete_catalogue(folder: Path, partitions: int) -> None:
    """Makes every partition exist, also those without a product, so that the folder is a store of its own."""
    store = catalogue_store(folder, partitions)
    for partition in range(partitions):
        store.writer(partition).close()


def features_from_log(kafka: Kafka, folder: Path, partitions: int) -> RebuildReport:
    """A feature store of so many partitions in `folder` from `image-features` alone."""
    folder.mkdir(parents=True)
    return rebuild(_image_features(kafka), feature_store(folder, partitions))


def _image_features(kafka: Kafka) -> Iterator[tuple[bytes | None, bytes | None]]:
    state = describe(kafka, [IMAGE_FEATURES])[IMAGE_FEATURES]
    for partition, (begin, end) in enumerate(zip(state.beginnings, state.ends, strict=True)):
        for message in read_range(kafka, IMAGE_FEATURES, partition, begin, end, compacted=True):
            yield message.key, message.value
