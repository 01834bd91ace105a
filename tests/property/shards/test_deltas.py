"""For any numbers of shards and partitions: every delta is one shard's, no watermark is ahead of its deltas."""

from __future__ import annotations

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from indexing.shard.deltas import ShardDeltas
from indexing.shard.progress import SourceProgress
from schemas.deltas.delta import DeltaBatch, Progress
from schemas.ids import image_id, product_hash, sequence, shard_of_product

counts = st.integers(1, 9)
products = st.lists(st.text(max_size=8), min_size=1, max_size=30, unique=True)


def partitioned(names: list[str], partitions: int) -> list[DeltaBatch]:
    """The products' deltas as writers place them, a batch per partition."""
    batches = [DeltaBatch(extractor_id="e") for _ in range(partitions)]
    for number, name in enumerate(names):
        batches[shard_of_product(name, partitions)].add(image_id(name, "u"), name, state_seq=number + 1, price=number)
    return batches


@given(counts, counts, products)
def test_every_product_is_read_whole_by_exactly_one_shard(shards: int, partitions: int, names: list[str]) -> None:
    readers: dict[str, list[int]] = {name: [] for name in names}
    for shard in range(shards):
        deltas = ShardDeltas(shard, shards, partitions)
        for partition, batch in enumerate(partitioned(names, partitions)):
            if partition not in deltas.partitions:
                continue
            own = deltas.of(batch, partition)
            for row, name in enumerate(own.product_id):
                readers[name].append(shard)
                number = names.index(name)
                assert (own.image_id[row], own.state_seq[row], own.price[row]) == (
                    image_id(name, "u"),
                    number + 1,
                    number,
                )
            hashes = [int.from_bytes(product_hash(name), "little") for name in own.product_id]
            assert deltas.holds(np.array(hashes, np.uint64))
    assert readers == {name: [shard_of_product(name, shards)] for name in names}


@given(st.data(), counts, counts, st.integers(1, 3), st.integers(1, 20))
def test_watermark_is_never_ahead_of_a_partition(
    data: st.DataObject, shards: int, partitions: int, sources: int, steps: int
) -> None:
    """Each source's progress is in every partition of the deltas; a shard reads these at paces of their own."""
    shard = data.draw(st.integers(0, shards - 1))
    deltas = ShardDeltas(shard, shards, partitions)
    progress = SourceProgress()
    read: dict[tuple[int, int], int] = {}
    for _ in range(steps):
        partition = data.draw(st.sampled_from(deltas.partitions))
        source = data.draw(st.integers(0, sources - 1))
        stamp = read[partition, source] = read.get((partition, source), 0) + data.draw(st.integers(1, 5))
        seen = Progress(source, sources, sequence(1, stamp), stamp)
        progress.advance(deltas.of(DeltaBatch(progress=[seen]), partition).progress)
        everything = [read.get((p, s), 0) for p in deltas.partitions for s in range(sources)]
        assert progress.watermark_ms == min(everything)


def test_own_partition_is_passed_through_untouched() -> None:
    """As many shards as partitions: nothing is looked at, nothing is copied."""
    batch = DeltaBatch(progress=[Progress(1, 4, sequence(1, 1), 5)])
    batch.add(b"x" * 16, "misplaced")
    own = ShardDeltas(1, 2, 2).of(batch, 1)
    assert own is batch
    assert own.progress == [Progress(1, 4, sequence(1, 1), 5)]


def test_row_without_an_image_id_is_left_to_every_shard_to_count() -> None:
    batch = DeltaBatch()
    batch.add(image_id("p", "u"), "p")
    batch.add(None, "broken")  # type: ignore[arg-type]  # a null in the column
    batch.add(b"short", "broken")
    kept = [len(ShardDeltas(shard, 3, 2).of(batch, 0)) for shard in range(3)]
    assert sorted(kept) == [2, 2, 3]
