"""Images that extraction gave up are refused, not pending: in any order, over restarts, until a vector comes."""

from __future__ import annotations

from itertools import permutations
from pathlib import Path

import numpy as np

from indexing.build.builder import ShardBuilder
from indexing.shard.shard import Shard
from indexing.snapshot import snapshot
from schemas.deltas.delta import DeltaBatch, decode_deltas, encode_deltas
from schemas.ids import image_id
from tests.support.index.catalogue import EXTRACTOR, URL

IMAGE = image_id("p", URL)
VECTOR = np.array([1, 0, 0, 0], "<f4").tobytes()


def state(state_seq: int, image_seq: int, *, valid: bool = True) -> DeltaBatch:
    batch = DeltaBatch(EXTRACTOR)
    batch.add(IMAGE, "p", state_seq=state_seq, valid=valid, image_seq=image_seq, url=URL)
    return batch


def refusal(image_seq: int, extractor_id: str = EXTRACTOR) -> DeltaBatch:
    batch = DeltaBatch(extractor_id)
    batch.add(IMAGE, "p", refused_seq=image_seq)
    return batch


def vector(image_seq: int) -> DeltaBatch:
    batch = DeltaBatch(EXTRACTOR)
    batch.add(IMAGE, "p", vector_seq=image_seq, vector=VECTOR)
    return batch


def waiting(*batches: DeltaBatch) -> tuple[int, int, int]:
    """(searchable, pending, refused) after these."""
    shard = Shard(EXTRACTOR, 4)
    for batch in batches:
        shard.apply(decode_deltas(encode_deltas(batch)))
    stats = shard.stats()
    assert stats.valid == stats.searchable + stats.pending + stats.refused
    assert shard.waiting() == (stats.pending, stats.refused)
    return stats.searchable, stats.pending, stats.refused


def test_refusal_and_state_commute() -> None:
    assert waiting(state(1, 1)) == (0, 1, 0)
    for order in permutations((state(1, 1), refusal(1), state(2, 1), refusal(1))):
        assert waiting(*order) == (0, 0, 1)


def test_a_vector_that_comes_after_all_counts_in_any_order() -> None:
    for order in permutations((state(1, 1), refusal(1), vector(1))):
        assert waiting(*order) == (1, 0, 0)


def test_another_version_of_the_image_waits_again() -> None:
    for order in permutations((state(1, 1), refusal(1), state(5, 5))):
        assert waiting(*order) == (0, 1, 0)


def test_removed_images_and_other_extractors_refusals_count_nowhere() -> None:
    assert waiting(state(1, 1), refusal(1), state(2, 1, valid=False)) == (0, 0, 0)
    assert waiting(state(1, 1), refusal(1), state(2, 1, valid=False), state(3, 1)) == (0, 0, 1)
    assert waiting(state(1, 1), refusal(1, "other/1")) == (0, 1, 0)


def test_a_restart_remembers(tmp_path: Path) -> None:
    shard = Shard(EXTRACTOR, 4)
    for batch in (state(1, 1), refusal(1)):
        shard.apply(batch)
    snapshot.save(shard, tmp_path, {0: 0})
    restored, _ = snapshot.restore(tmp_path)
    assert restored.waiting() == (0, 1)
    restored.apply(vector(1))
    assert restored.waiting() == (0, 0)
    assert restored.stats().searchable == 1


def test_a_full_index_knows_what_was_given_up(tmp_path: Path) -> None:
    batch = DeltaBatch(EXTRACTOR)
    batch.add(IMAGE, "p", state_seq=1, valid=True, image_seq=1, url=URL, refused_seq=1)
    batch.add(image_id("q", URL), "q", state_seq=2, valid=True, image_seq=2, url=URL)
    with ShardBuilder(tmp_path / "shard", EXTRACTOR, 4) as builder:
        builder.add(batch)
        builder.seal({0: 0})
    assert snapshot.load_files(tmp_path / "shard")[0].waiting() == (1, 1)
