"""Copies of the stores for one batch job, as folders of RocksDB, taken while the stream runs on.

Of stores in the home they are checkpoints that their owners make; of stores on
a server, one consistent view of each partition, read and written out.
"""

from __future__ import annotations

import logging
import time
from collections.abc import Iterator
from pathlib import Path

from feature_store.copies import copy_partition, request_checkpoint
from feature_store.open import catalogue_store, feature_store, live_catalogue, live_features
from feature_store.port import Store
from feature_store.rebuild import RebuildReport, rebuild
from feature_store.rocks.files import partition_folder, read_store_info
from messaging.admin import describe
from messaging.ranges import read_range
from schemas.access.kafka import Kafka
from schemas.settings import Settings
from schemas.topics import IMAGE_FEATURES

log = logging.getLogger(__name__)


def copy_catalogue(settings: Settings, copy: Path) -> None:
    """The stream's catalogue store, wherever it lies."""
    if settings.store_server is None:
        copy_store(settings.layout.catalogue_store, copy, settings.event_partitions)
    else:
        _copy_from_server(live_catalogue(settings), copy, settings.event_partitions)


def copy_features(settings: Settings, copy: Path) -> None:
    """The stream's feature store, wherever it lies."""
    if settings.store_server is None:
        copy_store(settings.layout.feature_store, copy, settings.feature_partitions)
    else:
        _copy_from_server(live_features(settings).store, copy, settings.feature_partitions)


def copy_store(store: Path, copy: Path, partitions: int) -> None:
    """Copies every partition of a folder; a store that does not exist (nothing was ever written) gives an empty one."""
    copy.mkdir(parents=True)
    if read_store_info(store) is None:
        return
    started = time.monotonic()
    for partition in range(partitions):
        request_checkpoint(store, partition, partition_folder(copy, partition))
    log.info("event=store_copied store=%s copy=%s took_s=%.2f", store, copy, time.monotonic() - started)


def _copy_from_server(store: Store, copy: Path, partitions: int) -> None:
    copy.mkdir(parents=True)
    started = time.monotonic()
    for partition in range(partitions):
        copy_partition(store, partition, partition_folder(copy, partition))
    log.info("event=store_copied copy=%s took_s=%.2f", copy, time.monotonic() - started)


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
