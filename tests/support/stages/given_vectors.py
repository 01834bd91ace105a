"""Both stages over one feature store, and a shard that takes their deltas: events bring their images' vectors."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np

from feature_store.open import feature_store
from indexing.shard.shard import Shard
from jobs.pipeline.catalogue.config import CatalogueConfig
from jobs.pipeline.catalogue.stage import CatalogueStage
from jobs.pipeline.extraction.extractors import ExtractorSpec
from jobs.pipeline.extraction.stage import ExtractionConfig, ExtractionStage
from jobs.pipeline.stage import Out, Record
from schemas.deltas.delta import decode_deltas
from schemas.events.given_vector import unit, version_of
from schemas.ids import image_key, kafka_partition
from schemas.topics import EXTRACT_REQUESTS, INDEX_DELTAS
from tests.support.metrics import CountingMetrics

EXTRACTOR = "external:shop:3"
FEATURE_PARTITIONS = 2
A, B = [1.0, 2.0, 2.0], [-2.0, 1.0, 2.0]


class GivenVectorsWorld:
    """Both stages over one feature store; what the first asks of the second is handed on by `extract`."""

    def __init__(self, folder: Path, *extractors: str) -> None:
        self.folder = folder
        self.metrics = CountingMetrics()
        self.config = CatalogueConfig(
            store_folder=str(folder / "catalogue"),
            feature_folder=str(folder / "features"),
            event_partitions=1,
            feature_partitions=FEATURE_PARTITIONS,
            delta_partitions=1,
            extractors=extractors or (EXTRACTOR,),
        )
        self.catalogue = CatalogueStage(self.config)
        self.extraction = ExtractionStage(
            ExtractionConfig(str(folder / "features"), FEATURE_PARTITIONS, 1, (ExtractorSpec(EXTRACTOR, EXTRACTOR),))
        )
        self.catalogue.open(self.metrics)
        self.extraction.open(self.metrics)
        self.offset = 0
        self.shard = Shard(EXTRACTOR, 3)

    def feed(self, *events: dict[str, object]) -> list[Out]:
        first, self.offset = self.offset, self.offset + len(events)
        return self.again(first, *events)

    def again(self, offset: int, *events: dict[str, object]) -> list[Out]:
        """The same events at the same place of the log, as after a restart."""
        records = [
            Record(str(event["product_id"]).encode(), json.dumps(event).encode(), 0, offset + number, 1_700_000_000_000)
            for number, event in enumerate(events)
        ]
        return self._taken(self.catalogue.process(records))

    def extract(self, out: list[Out]) -> list[Out]:
        """Hands the requests among `out` to the extraction stage."""
        requests = to(EXTRACT_REQUESTS, out)
        records = [
            Record(each.key, each.value, kafka_partition(each.key or b"", FEATURE_PARTITIONS), number, 0)
            for number, each in enumerate(requests)
        ]
        return self._taken(self.extraction.process(records))

    def stored(self, url: str, vector: list[float]) -> bytes | None:
        reader = feature_store(self.folder / "features", FEATURE_PARTITIONS).reader(catch_up_interval_ms=0)
        try:
            (found,) = reader.get_many([image_key(url, version_of(vector))], EXTRACTOR)
        finally:
            reader.close()
        return None if found is None else found.vector

    def found(self, vector: list[float]) -> list[str]:
        query = np.frombuffer(unit(vector), "<f4").reshape(1, -1)
        return [hit.product_id for hit in self.shard.search(query, 10)[0] if hit.score > 0.999]

    def close(self) -> None:
        self.catalogue.close()
        self.extraction.close()

    def _taken(self, out: list[Out]) -> list[Out]:
        for record in to(INDEX_DELTAS, out):
            self.shard.apply(decode_deltas(record.value))
        return out


def added(product_id: str, **vectors: list[float] | None) -> dict[str, object]:
    """Images by name; None: one without a vector."""
    images = [{"url": url} | ({"vector": vector} if vector else {}) for url, vector in vectors.items()]
    return {"type": "product_added", "product_id": product_id, "images": images}


def to(topic: str, out: list[Out]) -> list[Out]:
    return [record for record in out if record.topic == topic]
