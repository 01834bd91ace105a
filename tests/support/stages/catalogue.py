"""The catalogue stage over a store of its own, and what it puts out."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np

from feature_store.features import FeatureWriter
from feature_store.rocks.store import RocksStore
from jobs.pipeline.catalogue.config import CatalogueConfig
from jobs.pipeline.catalogue.stage import CatalogueStage
from jobs.pipeline.stage import Out, Record
from schemas.deltas.delta import DeltaBatch, decode_deltas
from schemas.features.record import FeatureRecord
from schemas.ids import image_key, kafka_partition
from schemas.topics import INDEX_DELTAS
from tests.support.metrics import CountingMetrics

EXTRACTOR = "test-0-p1-8"
FURTHER = "other-0-p1-8"
PARTITIONS = 4


class World:
    """A stage over its own stores, and a log that gives each record the next offset of its partition."""

    def __init__(self, folder: Path, *further: str) -> None:
        self.folder = folder
        self.further = further
        self.metrics = CountingMetrics()
        self.offsets = [0] * PARTITIONS
        self.stage = self._open()

    def _open(self) -> CatalogueStage:
        config = CatalogueConfig(
            store_folder=str(self.folder / "catalogue"),
            feature_folder=str(self.folder / "features"),
            event_partitions=PARTITIONS,
            feature_partitions=2,
            delta_partitions=2,
            extractors=(EXTRACTOR, *self.further),
        )
        stage = CatalogueStage(config)
        stage.open(self.metrics)
        return stage

    def restart(self) -> None:
        self.stage.close()
        self.stage = self._open()

    def record(self, value: bytes | dict[str, object], partition: int | None = None) -> Record:
        if isinstance(value, dict):
            key = str(value.get("product_id", "")).encode()
            value = json.dumps(value).encode()
        else:
            key = b""
        if partition is None:
            partition = kafka_partition(key, PARTITIONS)
        self.offsets[partition] += 1
        return Record(key or None, value, partition, self.offsets[partition] - 1, 1_700_000_000_000)

    def feed(self, *values: bytes | dict[str, object]) -> list[Out]:
        return self.stage.process([self.record(value) for value in values])

    def know(self, url: str, vector: bytes, extractor_id: str = EXTRACTOR) -> None:
        writer = FeatureWriter(RocksStore(self.folder / "features", 2), 2)
        key = image_key(url)
        writer.put_many([FeatureRecord(key, extractor_id, vector, b"c" * 32, 0, 12.0, url)])
        writer.close()


def added(product_id: str, *urls: str, **product: object) -> dict[str, object]:
    images = [{"url": url} for url in urls]
    return {"type": "product_added", "product_id": product_id, "product": product, "images": images}


def to(topic: str, out: list[Out]) -> list[Out]:
    return [record for record in out if record.topic == topic]


def deltas(out: list[Out]) -> list[DeltaBatch]:
    return [decode_deltas(record.value) for record in to(INDEX_DELTAS, out)]


def vector() -> bytes:
    values = np.arange(1, 9, dtype="<f4")
    return bytes((values / np.linalg.norm(values)).tobytes())
