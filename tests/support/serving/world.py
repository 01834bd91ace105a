"""A small catalogue and real parts to serve it: shards fed through the bytes of real deltas, real gRPC servers."""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from indexing.look.looks import Untuned
from indexing.shard.shard import Shard
from messaging.consumer import Message
from schemas.deltas.delta import DELTA_SCHEMA, DeltaBatch, Progress, attributes_json, decode_deltas, encode_deltas
from schemas.errors import OperatorError
from schemas.ids import image_id, sequence, shard_of_image, shard_of_product
from schemas.query.indexed import Indexed
from schemas.search_pb2 import SearchRequest
from serving.searcher.service import SearcherService

DIMENSION = 16
EXTRACTOR = f"test_encoder-0badcafe-p1-{DIMENSION}"
WATERMARK_MS = 1_767_261_600_123
WATERMARK = "2026-01-01T10:00:00.123Z"


def direction(number: int) -> NDArray[np.float32]:
    """The same unit vector for the same number."""
    vector = np.random.default_rng(number).standard_normal(DIMENSION)
    return (vector / np.linalg.norm(vector)).astype("<f4")


def near(vector: NDArray[np.float32], number: int, step: float = 0.05) -> NDArray[np.float32]:
    """A unit vector close to `vector`."""
    moved = vector + step * direction(number)
    return (moved / np.linalg.norm(moved)).astype("<f4")


def batch(extractor_id: str = EXTRACTOR, timestamp_ms: int = WATERMARK_MS) -> DeltaBatch:
    """An empty batch that moves the watermark to `timestamp_ms` (one source partition)."""
    return DeltaBatch(extractor_id=extractor_id, progress=[Progress(0, 1, sequence(1, timestamp_ms), timestamp_ms)])


def listed(
    into: DeltaBatch,
    product_id: str,
    vectors: Sequence[NDArray[np.float32] | None],
    *,
    offset: int = 1,
    price: float = 49.9,
    sales: int = 120,
    praise: float = 0.96,
    **attributes: Any,
) -> DeltaBatch:
    """Adds the product with an image per vector (None: its vector is still to come)."""
    described = {"title": f"Title of {product_id}", "category": "shoes/running", "brand": "Acme", **attributes}
    for number, vector in enumerate(vectors):
        url = f"https://shop.example/{product_id}/{number}.jpg"
        into.add(
            image_id(product_id, url),
            product_id,
            state_seq=sequence(1, offset),
            valid=True,
            image_seq=sequence(1, offset),
            url=url,
            category=described["category"],
            brand=described["brand"],
            price=price,
            sales=sales,
            praise=praise,
            attributes=attributes_json(described),
            vector_seq=0 if vector is None else sequence(1, offset),
            vector=None if vector is None else vector.tobytes(),
        )
    return into


def removed(into: DeltaBatch, product_id: str, images: int = 1, *, offset: int = 2) -> DeltaBatch:
    """Adds the removal of the product's first `images` images."""
    for number in range(images):
        url = f"https://shop.example/{product_id}/{number}.jpg"
        into.add(
            image_id(product_id, url),
            product_id,
            state_seq=sequence(1, offset),
            valid=False,
            image_seq=sequence(1, 1),
            url=url,
        )
    return into


def apply(searcher: SearcherService, deltas: DeltaBatch) -> None:
    """Feeds the searcher's shard as the feed does: through the bytes of the topic."""
    assert searcher.index is not None
    searcher.index.apply(decode_deltas(encode_deltas(deltas)))


def ready_searcher(
    shard: int = 0,
    replica: int = 0,
    deltas: DeltaBatch | None = None,
    shards: int = 1,
    indexed: Indexed | None = None,
    extractor_id: str = EXTRACTOR,
) -> SearcherService:
    """A searcher over a real shard, one of `shards`, that answers queries."""
    searcher = SearcherService(shard, replica, Untuned(extractor_id, DIMENSION), shards=shards, indexed=indexed)
    searcher.begin(Shard(extractor_id, DIMENSION))
    apply(searcher, deltas or batch(extractor_id))
    searcher.ready()
    return searcher


def product_of_shard(shard: int, shards: int, name: str = "p") -> str:
    """A product id that lies in `shard`."""
    return next(f"{name}{n}" for n in range(1000) if shard_of_product(f"{name}{n}", shards) == shard)


def query(*vectors: NDArray[np.float32], limit: int = 10, extractor_id: str = EXTRACTOR) -> SearchRequest:
    return SearchRequest(
        vectors=b"".join(vector.tobytes() for vector in vectors),
        count=len(vectors),
        limit=limit,
        extractor_id=extractor_id,
    )


class MemoryPartition:
    """A partition of index-deltas in memory; `first` is the offset of the oldest record kept."""

    def __init__(self, first: int = 0) -> None:
        self.first = first
        self.values: list[bytes] = []

    def append(self, value: bytes | DeltaBatch) -> None:
        self.values.append(encode_deltas(value) if isinstance(value, DeltaBatch) else value)

    def drop_before(self, offset: int) -> None:
        """As retention does."""
        del self.values[: offset - self.first]
        self.first = offset

    def open(self, offsets: Mapping[int, int | None]) -> MemoryReader:
        """This partition alone, as partition 0."""
        return MemoryReader([self], offsets)


class MemoryTopic:
    """index-deltas in memory; `send` puts a product's deltas where every writer does."""

    def __init__(self, partitions: int) -> None:
        self.partitions = [MemoryPartition() for _ in range(partitions)]

    def send(self, deltas: DeltaBatch) -> None:
        """The rows, each to the partition of its product; the progress to all of them."""
        for number, partition in enumerate(self.partitions):
            part = DeltaBatch(extractor_id=deltas.extractor_id, progress=list(deltas.progress))
            for row, image in enumerate(deltas.image_id):
                if shard_of_image(image, len(self.partitions)) == number:
                    for column in DELTA_SCHEMA.names:
                        getattr(part, column).append(getattr(deltas, column)[row])
            partition.append(part)

    def ends(self) -> list[int]:
        return [partition.first + len(partition.values) for partition in self.partitions]

    def open(self, offsets: Mapping[int, int | None]) -> MemoryReader:
        return MemoryReader(self.partitions, offsets)


class MemoryReader:
    """Reads memory as `PartitionsReader` reads Kafka."""

    def __init__(self, partitions: Sequence[MemoryPartition], offsets: Mapping[int, int | None]) -> None:
        self._partitions = {number: partitions[number] for number in offsets}
        self.positions = {n: self._partitions[n].first if o is None else o for n, o in offsets.items()}

    def poll(self, max_records: int = 1000, timeout_s: float = 0.1) -> list[Message]:
        found: list[Message] = []
        for number, partition in self._partitions.items():
            position = self.positions[number]
            if position < partition.first:
                raise OperatorError(f"index-deltas/{number} no longer holds offset {position}")
            start = position - partition.first
            values = partition.values[start : start + max_records - len(found)]
            found += [Message(None, value, position + n, WATERMARK_MS, number) for n, value in enumerate(values)]
            self.positions[number] += len(values)
        if not found:
            time.sleep(0.001)
        return found

    def beginning_offsets(self, timeout_s: float = 10.0) -> dict[int, int]:
        return {number: partition.first for number, partition in self._partitions.items()}

    def end_offsets(self, timeout_s: float = 10.0) -> dict[int, int]:
        return {n: partition.first + len(partition.values) for n, partition in self._partitions.items()}

    def told_ends(self) -> dict[int, int]:
        return self.end_offsets()

    def close(self) -> None:
        pass


def revive(searcher: SearcherService) -> None:
    """As a feed does that takes the index up again."""
    index = searcher.index
    assert index is not None
    searcher.begin_anew()
    searcher.begin(index)
    searcher.ready()
