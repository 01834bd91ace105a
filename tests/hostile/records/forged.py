"""Records of index-deltas that no stage wrote, made column by column, and a feed of a real shard to send them to."""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pyarrow as pa

from indexing.look.looks import Untuned
from indexing.shard.deltas import ShardDeltas
from schemas.deltas.check import DeltaCheck
from schemas.deltas.delta import DELTA_SCHEMA, FORMAT, DeltaBatch, Progress
from schemas.ids import EPOCH_SHIFT, image_id, sequence, shard_of_product
from serving.searcher.feeding.feed import DeltaFeed
from serving.searcher.service import SearcherService
from tests.support.serving.world import DIMENSION, EXTRACTOR, WATERMARK_MS, MemoryPartition, MemoryReader, direction

EPOCH = 1
"""The one that there is."""
PRODUCT = "evil"
URL = "https://shop.example/evil/0.jpg"
PARTITIONS = 2
"""Of index-deltas; the shard of these tests reads both."""
HOME = shard_of_product(PRODUCT, PARTITIONS)
"""The partition of index-deltas that the forged product belongs into."""
CHECK = DeltaCheck(PARTITIONS, 1, lambda epoch: epoch <= EPOCH)


def progress(partition: int = 0, partitions: int = 1, offset: int = 50, timestamp_ms: int = WATERMARK_MS) -> Progress:
    return Progress(partition, partitions, sequence(EPOCH, offset), timestamp_ms)


def row(**changes: Any) -> dict[str, Any]:
    """A row as the catalogue stage writes it, but for `changes`."""
    return {
        "image_id": image_id(PRODUCT, URL),
        "product_id": PRODUCT,
        "state_seq": sequence(EPOCH, 9),
        "valid": True,
        "image_seq": sequence(EPOCH, 9),
        "url": URL,
        "category": "shoes",
        "brand": "Acme",
        "price": 1.0,
        "sales": 1,
        "praise": 0.5,
        "attributes": b'{"title":"Evil"}',
        "vector_seq": sequence(EPOCH, 9),
        "vector": direction(1).tobytes(),
        "refused_seq": 0,
        "erased_seq": 0,
        **changes,
    }


def record(
    rows: list[dict[str, Any]],
    said: list[Progress] | str = "[]",
    types: dict[str, pa.DataType] | None = None,
    drop: tuple[str, ...] = (),
    compression: str | None = None,
) -> bytes:
    """The bytes of a record with these rows, without the columns `drop`, and with other `types` where given.

    `said`: its progress, or text that stands in its place.
    """
    text = said if isinstance(said, str) else json.dumps([list(vars_of(entry)) for entry in said])
    metadata = {b"format": FORMAT.encode(), b"extractor_id": EXTRACTOR.encode(), b"progress": text.encode()}
    fields = []
    arrays = []
    for name in DELTA_SCHEMA.names:
        if name not in drop:
            kind = (types or {}).get(name, DELTA_SCHEMA.field(name).type)
            fields.append(pa.field(name, kind))
            arrays.append(_array([each[name] for each in rows], kind))
    schema = pa.schema(fields, metadata)
    sink = pa.BufferOutputStream()
    with pa.ipc.new_stream(sink, schema, options=pa.ipc.IpcWriteOptions(compression=compression)) as writer:
        writer.write_batch(pa.RecordBatch.from_arrays(arrays, schema=schema))
    return bytes(sink.getvalue().to_pybytes())


def vars_of(entry: Progress) -> tuple[int, int, int, int]:
    return entry.partition, entry.partitions, entry.sequence, entry.timestamp_ms


def _array(values: list[Any], kind: pa.DataType) -> pa.Array:
    if pa.types.is_dictionary(kind):
        return pa.array(values, kind.value_type).dictionary_encode().cast(kind)
    return pa.array(values, kind)


class Fed:
    """A searcher whose feed reads `topic`, two partitions, of one source partition; one product `good` is in it."""

    def __init__(self, searcher: SearcherService, topic: list[MemoryPartition]) -> None:
        self.searcher = searcher
        self.topic = topic

    def send(self, partition: int, value: bytes | DeltaBatch) -> None:
        self.topic[partition].append(value)

    def caught_up(self) -> None:
        ends = sum(len(partition.values) for partition in self.topic)
        wait(lambda: self.searcher.has_failed or (self.searcher.is_ready and self.searcher.next_offset == ends))
        assert not self.searcher.has_failed, self.searcher.problem


@contextmanager
def fed(folder: Path, **options: Any) -> Iterator[Fed]:
    topic = [MemoryPartition() for _ in range(PARTITIONS)]
    searcher = SearcherService(0, 0, Untuned(EXTRACTOR, DIMENSION))
    feed = DeltaFeed(
        searcher,
        ShardDeltas(0, 1, PARTITIONS),
        lambda offsets: MemoryReader(topic, offsets),
        folder / "snapshot",
        3600.0,
        check=DeltaCheck(PARTITIONS, 1, lambda epoch: epoch <= EPOCH),
        **options,
    )
    feed.start()
    try:
        yield Fed(searcher, topic)
    finally:
        feed.stop(save=False)


def wait(condition: Callable[[], bool]) -> None:
    deadline = time.monotonic() + 120
    while not condition():
        assert time.monotonic() < deadline, "it did not happen within 120 s"
        time.sleep(0.002)


def later_epoch(offset: int = 9) -> int:
    """A sequence of an epoch that there is not."""
    return (EPOCH + 1) << EPOCH_SHIFT | offset
