"""However the stream is cut, replayed, doubled and shuffled, its shards equal those of one run through the core."""

from __future__ import annotations

import json
import random
import tempfile
from pathlib import Path
from typing import Any

import numpy as np
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from feature_store.features import FeatureWriter
from feature_store.rocks.store import RocksStore
from indexing.shard.deltas import ShardDeltas
from indexing.shard.shard import Shard
from jobs.pipeline.catalogue.config import CatalogueConfig
from jobs.pipeline.catalogue.stage import CatalogueStage
from jobs.pipeline.core import Origin, add_state, apply, display_attributes
from jobs.pipeline.given_vectors import VectorRule
from jobs.pipeline.stage import Out, Record
from schemas.deltas.delta import DeltaBatch, decode_deltas, encode_deltas
from schemas.errors import RejectedError
from schemas.events.event import Forwarded, decode_event, decode_forwarded, images_of
from schemas.events.extract_request import decode_request
from schemas.events.given_vector import unit
from schemas.events.record import ProductRecord
from schemas.features.record import FeatureRecord
from schemas.ids import ImageKey, image_key, kafka_partition, sequence, shard_of_product
from schemas.topics import EXTRACT_REQUESTS, INDEX_DELTAS, PRODUCT_EVENTS
from tests.support.metrics import CountingMetrics

EXTRACTOR = "test-0-p1-4"
FURTHER = "other-0-p1-4"
OWN = "external:shop:4"
PARTITIONS = 2

products = st.sampled_from(["a", "b", "c", "d"])
urls = st.sampled_from([f"https://h/{n}.jpg" for n in range(4)])
given_vectors = st.integers(0, 14).map(lambda n: [1, 2] if n == 14 else [1, n % 7 - 3, 0, 2])
"""What a shop's own extractor made of pictures; a short one is of another extractor, and its event unusable."""
images = st.lists(
    st.builds(
        lambda url, version, vector: {"url": url, "version": version, "vector": vector},
        urls, st.sampled_from([None, "1", "2"]), given_vectors,
    ),
    max_size=3,
)  # fmt: skip
versions = st.one_of(st.none(), st.integers(0, 5))
attributes = st.dictionaries(st.sampled_from(["price", "sales"]), st.one_of(st.none(), st.integers(0, 9)), max_size=2)
events = st.one_of(
    st.builds(
        lambda p, v, a, i: {"type": "product_added", "product_id": p, "version": v, "product": a, "images": i},
        products, versions, attributes, st.one_of(st.none(), images),
    ),
    st.builds(
        lambda p, v, a, i, r: {
            "type": "product_updated", "product_id": p, "version": v, "product": a,
            "images_added": i, "images_removed": r,
        },
        products, versions, attributes, images, st.lists(urls, max_size=2),
    ),
    st.builds(lambda p, v: {"type": "product_removed", "product_id": p, "version": v}, products, versions),
    st.builds(lambda p, v: {"type": "product_erased", "product_id": p, "version": v}, products, versions),
)  # fmt: skip


def vector_of(key: bytes, extractor_id: str) -> bytes:
    seed = int.from_bytes(key[:4], "little") + (extractor_id == FURTHER)
    values = np.random.default_rng(seed).standard_normal(4).astype("<f4")
    return bytes((values / np.linalg.norm(values)).tobytes())


class Log:
    """`product-events` in memory: what is appended gets the next offset of its partition."""

    def __init__(self) -> None:
        self.partitions: list[list[bytes]] = [[] for _ in range(PARTITIONS)]

    def append(self, value: bytes, key: bytes, misplaced: bool = False) -> None:
        self.partitions[(kafka_partition(key, PARTITIONS) + misplaced) % PARTITIONS].append(value)


def without_vectors(event: dict[str, Any]) -> dict[str, Any]:
    """The event as a shop sends it whose pictures are to be fetched."""
    shown = {
        name: [{key: each[key] for key in ("url", "version")} for each in event[name]]
        for name in ("images", "images_added")
        if event.get(name)
    }
    return event | shown


def expected(log: Log, extractors: tuple[str, ...], extractor_id: str, shards: int) -> list[bytes]:
    """Digests of `shards` shards of one of the extractors, fed with each product's final record."""
    records: dict[str, ProductRecord] = {}
    rule = VectorRule(extractors)
    brought: dict[bytes, bytes] = {}
    for partition, values in enumerate(log.partitions):
        for offset, value in enumerate(values):
            event, origin = decode_event(value), None
            if isinstance(event, Forwarded):
                origin = Origin(event.origin_partition, event.origin_sequence)
                event = decode_forwarded(event)
            if kafka_partition(event.product_id.encode(), PARTITIONS) != partition:
                continue
            try:
                rule.check(event)
                brought |= {
                    image_key(ref.url, ref.version_text): unit(ref.vector) for ref in images_of(event) if ref.vector
                }
                number = sequence(0, offset)
                records[event.product_id] = apply(records.get(event.product_id), event, number, origin).record
            except RejectedError:
                continue
    index = [Shard(extractor_id, 4) for _ in range(shards)]
    for record in records.values():
        batch = DeltaBatch(extractor_id=extractor_id)
        for entry in record.images:
            key = image_key(entry.url, entry.version)
            vector = brought[key] if extractor_id == OWN else vector_of(key, extractor_id)
            add_state(batch, record, entry, vector, display_attributes(record))
        index[shard_of_product(record.product_id, shards)].apply(batch)
    return [shard.stats().digest for shard in index]


@settings(max_examples=40, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(
    st.lists(st.tuples(events, st.booleans()), min_size=1, max_size=40)
    | st.lists(st.tuples(events, st.booleans()), min_size=15, max_size=40),
    st.integers(0, 2**32),
    st.integers(1, 6),
    st.integers(1, 6),
    st.booleans(),
    st.integers(0, 2).map(bool),
)
def test_stream_equals_batch(
    history: list[tuple[dict[str, Any], bool]],
    seed: int,
    shards: int,
    partitions: int,
    two_extractors: bool,
    own_vectors: bool,
) -> None:
    """Whatever the number of shards is to that of the partitions of deltas, and for each extractor.

    `own_vectors`: the events bring their images' vectors.
    """
    extractors = (OWN if own_vectors else EXTRACTOR, *([FURTHER] if two_extractors else []))
    chance = random.Random(seed)
    log = Log()
    for drawn, misplaced in history:
        event = drawn if own_vectors else without_vectors(drawn)
        log.append(json.dumps(event).encode(), str(event["product_id"]).encode(), misplaced and chance.random() < 0.3)
    with tempfile.TemporaryDirectory() as folder:
        deltas = _stream(log, Path(folder), chance, partitions, extractors)
    delivered = deltas + chance.sample(deltas, len(deltas) // 2)
    chance.shuffle(delivered)
    for extractor_id in extractors:
        index = [Shard(extractor_id, 4) for _ in range(shards)]
        for number, shard in enumerate(index):
            reads = ShardDeltas(number, shards, partitions)
            for partition, value in delivered:
                if partition in reads.partitions:
                    shard.apply(reads.of(decode_deltas(value), partition))
        assert [shard.stats().digest for shard in index] == expected(log, extractors, extractor_id, shards)
        assert [shard.stats().digest for shard in index] == [shard.recompute_digest() for shard in index]


def _stream(
    log: Log, folder: Path, chance: random.Random, partitions: int, extractors: tuple[str, ...]
) -> list[tuple[int, bytes]]:
    """Runs the real stage over the log with crashes: what a crash swallowed was never delivered, then replayed."""
    config = CatalogueConfig(str(folder / "catalogue"), str(folder / "features"), PARTITIONS, 1, partitions, extractors)
    features = FeatureWriter(RocksStore(folder / "features", 1), 1)
    stage = CatalogueStage(config)
    stage.open(CountingMetrics())
    position, checkpoint = [0] * PARTITIONS, [0] * PARTITIONS
    deltas: list[tuple[int, bytes]] = []
    while any(position[p] < len(log.partitions[p]) for p in range(PARTITIONS)):
        batch = []
        for p in range(PARTITIONS):
            upto = min(len(log.partitions[p]), position[p] + chance.randint(0, 8))
            batch += [Record(None, log.partitions[p][o], p, o, 0) for o in range(position[p], upto)]
            position[p] = upto
        out = stage.process(batch)
        if chance.random() < 0.2:  # killed before the sink had written: back to the last checkpoint
            stage.close()
            stage = CatalogueStage(config)
            stage.open(CountingMetrics())
            position = list(checkpoint)
            continue
        deltas += _deliver(out, log, features, partitions)
        if chance.random() < 0.5:
            checkpoint = list(position)
    stage.close()
    features.close()
    return deltas


def _deliver(out: list[Out], log: Log, features: FeatureWriter, partitions: int) -> list[tuple[int, bytes]]:
    """Kafka and the extraction stage, in short: forwarded events join the log, requests become vectors.

    Returns the records of `index-deltas`, each with its partition.
    """
    found = []
    for record in out:
        if record.topic == PRODUCT_EVENTS:
            assert record.key is not None
            log.append(record.value, record.key)
        elif record.topic == INDEX_DELTAS:
            assert record.key is not None
            found.append((kafka_partition(record.key, partitions), record.value))
        elif record.topic == EXTRACT_REQUESTS:
            request = decode_request(record.value)
            key = ImageKey(bytes.fromhex(request.image_key))
            assert bool(request.vector) == (request.extractor_id == OWN)
            vector = request.vector or vector_of(key, request.extractor_id)
            features.put_many([FeatureRecord(key, request.extractor_id, vector, b"", 0, 1.0, request.url)])
            batch = DeltaBatch(extractor_id=request.extractor_id)
            image = bytes.fromhex(request.image_id)
            batch.add(image, request.product_id, vector_seq=request.vector_seq, vector=vector)
            found.append((shard_of_product(request.product_id, partitions), encode_deltas(batch)))
    return found
