"""The two stores as Vitrine keeps them, on RocksDB: what a job or a command opens."""

from __future__ import annotations

from pathlib import Path

from feature_store.features import FeatureStore
from feature_store.rocks.store import RocksStore


def catalogue_store(folder: Path, partitions: int) -> RocksStore:
    """For `ProductStore` and `ProductReader`; a partition per partition of `product-events`."""
    return RocksStore(
        folder,
        partitions,
        compression="lz4",
        rebuild="stop, move the catalogue store away and start: the job reads product-events from its beginning",
    )


def feature_store(folder: Path, partitions: int) -> FeatureStore:
    """The features; a partition per partition of `extract-requests`."""
    return FeatureStore(RocksStore(folder, partitions), partitions)
