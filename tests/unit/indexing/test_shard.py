from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

import indexing.shard.training as training_module
from indexing.lists.inverted_lists import Part
from indexing.shard.shard import Hit, Shard
from schemas.deltas.delta import DeltaBatch, Progress
from schemas.ids import image_id, sequence
from tests.support.index.catalogue import EXTRACTOR, URL, add_image, listed, random_vectors

DIMENSION = 8


def filled(count: int = 50) -> tuple[Shard, NDArray[np.float32]]:
    shard = Shard(EXTRACTOR, DIMENSION)
    vectors = random_vectors(count, DIMENSION)
    shard.apply(listed(vectors))
    return shard, vectors


def products(hits: list[Hit]) -> list[str]:
    return [hit.product_id for hit in hits]


def test_empty_shard_answers_every_query_with_nothing() -> None:
    shard = Shard(EXTRACTOR, DIMENSION)
    assert shard.search(random_vectors(3, DIMENSION), 10) == [[], [], []]
    assert shard.search(np.empty((0, DIMENSION), dtype=np.float32), 10) == []
    assert shard.product("p1") == []
    assert shard.stats().digest == bytes(16)
    assert shard.watermark_ms() == 0


def test_hit_shows_the_image_whole() -> None:
    shard, vectors = filled()
    (hit,) = shard.search(vectors[7:8], 1)[0]
    assert hit.score == pytest.approx(1.0)
    assert (hit.image_id, hit.product_id, hit.url) == (image_id("p7", URL), "p7", URL)
    assert (hit.price, hit.sales, hit.praise, hit.state_seq) == (10.0, 5, 0.5, 1)
    assert hit.attributes == b'{"title":"p7"}'


def test_limit_over_the_count_returns_all() -> None:
    shard, vectors = filled(20)
    (hits,) = shard.search(vectors[:1], 10_000)
    assert len(hits) == 20
    assert [hit.score for hit in hits] == sorted((hit.score for hit in hits), reverse=True)


def test_limit_below_one_returns_nothing() -> None:
    shard, vectors = filled(3)
    assert shard.search(vectors[:2], 0) == [[], []]


@pytest.mark.parametrize("limit", [1, 2, 5])
def test_equal_scores_come_in_the_order_of_image_ids(limit: int) -> None:
    vectors = np.ones((60, DIMENSION), dtype=np.float32)
    answers = []
    for order in (range(60), reversed(range(60))):
        shard = Shard(EXTRACTOR, DIMENSION)
        for number in order:
            shard.apply(listed(vectors[:1], first=number))
        answers.append([hit.image_id for hit in shard.search(vectors[:1], limit)[0]])
    assert answers[0] == answers[1] == sorted(image_id(f"p{i}", URL) for i in range(60))[:limit]


@pytest.mark.parametrize(
    ("query", "message"),
    [
        (np.zeros((1, DIMENSION - 1), dtype=np.float32), "takes"),
        (np.zeros(DIMENSION, dtype=np.float32), "takes"),
        (np.zeros((1, 0), dtype=np.float32), "takes"),
        (np.full((1, DIMENSION), np.nan, dtype=np.float32), "NaN"),
        (np.full((1, DIMENSION), np.inf, dtype=np.float32), "NaN"),
    ],
)
def test_unusable_query_is_refused(query: NDArray[np.float32], message: str) -> None:
    shard, _ = filled(3)
    with pytest.raises(ValueError, match=message):
        shard.search(query, 5)


def test_removed_product_is_gone_and_relisting_reuses_its_vector() -> None:
    shard, vectors = filled()
    removal = DeltaBatch(EXTRACTOR)
    add_image(removal, "p7", 2, valid=False)
    shard.apply(removal)
    assert "p7" not in products(shard.search(vectors[7:8], 50)[0])
    assert [image.valid for image in shard.product("p7")] == [False]
    relisting = DeltaBatch(EXTRACTOR)
    add_image(relisting, "p7", 3)
    shard.apply(relisting)
    assert products(shard.search(vectors[7:8], 1)[0]) == ["p7"]


def test_stale_delta_leaves_shard_unchanged() -> None:
    shard, vectors = filled()
    newer = DeltaBatch(EXTRACTOR)
    add_image(newer, "p7", 9, vector=vectors[8])
    shard.apply(newer)
    before = shard.stats()
    shard.apply(listed(vectors[7:8], sequence=5, first=7))
    after = shard.stats()
    assert after.digest == before.digest
    assert after.rows == before.rows
    assert shard.product("p7")[0].vector == vectors[8].tobytes()


def test_new_image_is_not_found_by_its_old_vector() -> None:
    shard, vectors = filled()
    state = DeltaBatch(EXTRACTOR)
    state.add(image_id("p7", URL), "p7", state_seq=2, valid=True, image_seq=2, url=URL)
    shard.apply(state)
    assert shard.stats().pending == 1
    assert "p7" not in products(shard.search(vectors[7:8], 50)[0])
    late = DeltaBatch(EXTRACTOR)
    late.add(image_id("p7", URL), "p7", vector_seq=2, vector=(-vectors[7]).tobytes())
    shard.apply(late)
    assert shard.stats().pending == 0
    assert products(shard.search(-vectors[7:8], 1)[0]) == ["p7"]
    assert products(shard.search(vectors[7:8], 50)[0])[-1] == "p7"


def test_image_whose_state_is_not_known_is_never_returned() -> None:
    shard = Shard(EXTRACTOR, DIMENSION)
    vector = random_vectors(1, DIMENSION)
    early = DeltaBatch(EXTRACTOR)
    early.add(image_id("p1", URL), "p1", vector_seq=4, vector=vector[0].tobytes())
    shard.apply(early)
    assert shard.search(vector, 10) == [[]]
    assert (shard.stats().images, shard.stats().valid) == (1, 0)


def test_same_vector_again_takes_no_new_row() -> None:
    shard, vectors = filled()
    shard.apply(listed(vectors, sequence=2))
    assert shard.stats().rows == 50
    assert shard.product("p7")[0].vector_seq == 2


def test_unusable_vectors_are_counted_and_the_rest_of_the_batch_applies() -> None:
    shard, vectors = filled(3)
    batch = DeltaBatch(EXTRACTOR)
    for number, vector in enumerate([b"xyz", np.full(DIMENSION, np.nan, dtype=np.float32).tobytes(), b"\0" * 4]):
        batch.add(image_id(f"bad{number}", URL), f"bad{number}", vector_seq=1, vector=vector)
    batch.add(b"too short", "bad", state_seq=1, valid=True)
    add_image(batch, "good", 1, vector=vectors[0])
    shard.apply(batch)
    foreign = DeltaBatch("other/1")
    add_image(foreign, "foreign", 1, vector=vectors[1])
    shard.apply(foreign)
    stats = shard.stats()
    assert (stats.ignored_vectors, stats.ignored_rows) == (4, 1)
    assert (stats.searchable, stats.pending) == (4, 1), "the foreign batch's state applies, its vector does not"


def test_absent_columns_count_as_unknown() -> None:
    shard = Shard(EXTRACTOR, DIMENSION)
    batch = DeltaBatch(EXTRACTOR)
    add_image(batch, "p1", 1, vector=random_vectors(1, DIMENSION)[0])
    for name in ("url", "category", "brand", "price", "sales", "praise", "attributes"):
        setattr(batch, name, [None])
    shard.apply(batch)
    (hit,) = shard.search(random_vectors(1, DIMENSION), 1)[0]
    assert (hit.url, hit.sales, hit.attributes) == ("", -1, b"")
    assert np.isnan([hit.price, hit.praise]).all()


def test_watermark_waits_for_every_partition_and_never_goes_back() -> None:
    shard = Shard(EXTRACTOR, DIMENSION)
    shard.apply(DeltaBatch(EXTRACTOR, [Progress(0, 2, sequence(0, 5), 500)]))
    assert shard.watermark_ms() == 0
    shard.apply(DeltaBatch(EXTRACTOR, [Progress(1, 2, sequence(0, 1), 300)]))
    assert shard.watermark_ms() == 300
    shard.apply(DeltaBatch(EXTRACTOR, [Progress(1, 2, sequence(0, 9), 900), Progress(0, 2, sequence(0, 2), 200)]))
    assert shard.watermark_ms() == 500
    shard.apply(DeltaBatch(EXTRACTOR, [Progress(p, 3, sequence(1, 0), 1000) for p in range(2)]))
    assert shard.watermark_ms() == 500, "the new epoch has a third partition, not seen yet"
    shard.apply(DeltaBatch(EXTRACTOR, [Progress(0, 2, sequence(0, 50), 5000)]))
    shard.apply(DeltaBatch(EXTRACTOR, [Progress(2, 3, sequence(1, 0), 1100)]))
    assert shard.watermark_ms() == 1000


def test_training_keeps_answers_and_drops_replaced_vectors() -> None:
    shard, vectors = filled(400)
    other = random_vectors(400, DIMENSION, seed=1)
    shard.apply(listed(other[:100], sequence=2))
    exact = shard.search(vectors[:20], 10)
    shard.train(16, seed=3, threads=1)
    stats = shard.stats()
    assert (stats.index_kind, stats.lists, stats.rows) == ("ivf_flat", 16, 500)
    assert shard.search(vectors[:20], 10, nprobe=16) == exact
    assert shard.training["recall_at_10"] >= 0.99
    assert len(shard.contents().lists) == 16
    assert sum(len(ids) for _, ids in shard.contents().lists) == 400
    shard.apply(listed(other[100:300], sequence=3, first=100))
    shard.train(8, seed=3, nprobe=8, threads=1)
    assert shard.stats().digest == shard.recompute_digest()
    assert products(shard.search(other[200:201], 1)[0]) == ["p200"]


def test_training_without_enough_vectors_is_refused() -> None:
    with pytest.raises(ValueError, match="need at least as many vectors"):
        Shard(EXTRACTOR, DIMENSION).train(4)
    with pytest.raises(ValueError, match="need at least as many vectors"):
        filled(3)[0].train(4)


def test_lists_grow_far_beyond_what_training_saw() -> None:
    shard, _ = filled(64)
    shard.train(4, nprobe=4, threads=1)
    crowd = random_vectors(1, DIMENSION).repeat(2000, axis=0)
    for start in range(0, 2000, 100):
        shard.apply(listed(crowd[start : start + 100], first=1000 + start))
    (hits,) = shard.search(crowd[:1], 2000)
    assert len(hits) == 2000
    assert all(hit.score == pytest.approx(1.0) for hit in hits)


def test_what_is_applied_at_the_last_moment_of_a_training_is_not_lost(monkeypatch: pytest.MonkeyPatch) -> None:
    shard, _ = filled(64)
    late = random_vectors(2, DIMENSION, seed=9)
    taken_over = training_module._parts_since
    calls: list[int] = []  # the capture; the catch-up, after which one more arrives; the last under the lock

    def apply_after(*arguments: Any) -> list[Part]:
        parts = taken_over(*arguments)
        calls.append(len(parts))
        if len(calls) <= len(late):
            shard.apply(listed(late[len(calls) - 1 : len(calls)], first=99 + len(calls)))
        return parts

    monkeypatch.setattr(training_module, "_parts_since", apply_after)
    shard.train(4, nprobe=4, threads=1)
    for number in range(2):
        assert products(shard.search(late[number : number + 1], 1)[0]) == [f"p{100 + number}"]
    assert shard.stats().searchable == 66


def test_image_first_known_from_a_tombstone_shows_its_url_once_listed() -> None:
    image, (vector,) = image_id("p1", URL), random_vectors(1, DIMENSION)
    first, later = DeltaBatch(extractor_id=EXTRACTOR), DeltaBatch(extractor_id=EXTRACTOR)
    first.add(image, "p1", state_seq=1, valid=False)
    later.add(image, "p1", state_seq=2, valid=True, url=URL, vector_seq=1, vector=vector.tobytes(), image_seq=1)
    streamed, rebuilt = Shard(EXTRACTOR, DIMENSION), Shard(EXTRACTOR, DIMENSION)
    streamed.apply(first)
    streamed.apply(later)
    rebuilt.apply(later)
    assert [image.url for image in streamed.product("p1")] == [URL]
    assert streamed.stats().digest == rebuilt.stats().digest == streamed.recompute_digest()
