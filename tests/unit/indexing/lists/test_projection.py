"""The projection that a scan goes over: in bytes, and in four bytes a number as lists on disk have it from before."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray

from indexing.lists.codec import codec_of
from indexing.lists.inverted_lists import InvertedLists
from indexing.lists.kinds import IndexKind
from indexing.lists.projection import ByteProjection, Projection, byte_width
from indexing.lists.reranked import CodedLists
from indexing.lists.view import new_block
from indexing.rows.validity import ValidityBitmap
from indexing.shard.questions.question import ShardAnswer, ShardQuestion
from indexing.shard.shard import Shard
from indexing.snapshot import snapshot
from schemas.deltas.delta import DeltaBatch
from schemas.ids import image_id
from schemas.query.fields import Fields
from schemas.query.filters import parse_filter
from schemas.query.indexed import Indexed
from tests.support.index.catalogue import EXTRACTOR, URL

FIELDS = Fields.declared([])
NLIST, IMAGES = 64, 6000


def clustered(count: int, dimension: int, seed: int = 1) -> NDArray[np.float32]:
    """Vectors of unit length around 40 means, with most of their energy in few directions, as features have it."""
    random = np.random.default_rng(7)
    falling = (1 / (1 + np.arange(dimension))).astype(np.float32)
    means = random.standard_normal((40, dimension), dtype=np.float32) * falling
    random = np.random.default_rng(seed)
    found = means[random.integers(0, 40, count)] + 0.4 * falling * random.standard_normal(
        (count, dimension), np.float32
    )
    return np.asarray(found / np.linalg.norm(found, axis=1, keepdims=True), dtype=np.float32)


def lists_over(codec: Projection | ByteProjection, vectors: NDArray[np.float32]) -> CodedLists:
    parts = [(vectors, np.arange(len(vectors), dtype=np.int64))]
    flat = InvertedLists.build(vectors.shape[1], vectors[:NLIST], parts, lambda rows: rows < 0, 0.25)
    return CodedLists.over(codec, flat)


@pytest.mark.parametrize("dimension", [3, 10, 200])
def test_bytes_say_what_the_numbers_say_but_for_their_steps(dimension: int) -> None:
    vectors = clustered(500, dimension)
    codec = ByteProjection.train(vectors, 0)
    assert codec.encode(vectors).nbytes == 500 * byte_width(dimension)
    same = codec_of(IndexKind.IVF_PCA, dimension, codec.parameters)
    assert isinstance(same, ByteProjection)
    whole = Projection.train(vectors)
    for query in clustered(5, dimension, seed=2):
        projected = codec.scanned(query[None])[0]
        scores = same.scores(projected, same.encode(vectors))
        np.testing.assert_allclose(
            scores, whole.scores(whole.scanned(query[None])[0], whole.encode(vectors)), atol=0.01
        )


def test_gathered_codes_score_as_a_scan_scores_them() -> None:
    codec = ByteProjection.train(clustered(500, 200), 0)
    encoded = codec.encode(clustered(500, 200))
    block = new_block(500, codec.width)
    block.codes[:], block.ids[:] = encoded, np.arange(500)
    centroid = np.zeros((1, byte_width(200)), dtype=np.float32)
    codes = InvertedLists.load(codec.width, centroid, [block], [500], codec.make_index)
    everything = ValidityBitmap()
    everything.reserve(500)
    for row in range(500):
        everything.set(row)
    for query in codec.scanned(clustered(5, 200, seed=2)):
        scores, rows = codes.exactly(query[None], 500, everything.selector)
        np.testing.assert_allclose(codec.scores(query, codes.vectors(rows[0])), scores[0], atol=1e-5)


def numbers(sample: NDArray[np.float32]) -> Projection:
    return Projection.train(sample)


def in_bytes(sample: NDArray[np.float32]) -> ByteProjection:
    return ByteProjection.train(sample, 0)


FORMS = [
    pytest.param(numbers, "all of them", id="numbers"),
    pytest.param(in_bytes, "the 1200 in the nearest lists", id="bytes"),
]
Form = Callable[[NDArray[np.float32]], Projection | ByteProjection]


@pytest.mark.parametrize(("form", "said"), FORMS)
def test_of_many_rows_the_nearest_are_found(form: Form, said: str) -> None:
    vectors = clustered(IMAGES, 300)
    lists = lists_over(form(vectors), vectors)
    assert lists.narrows == ("nearest" in said)
    rows = np.flatnonzero(np.random.default_rng(3).random(IMAGES) < 0.5)
    queries = clustered(40, 300, seed=2)
    exact = np.sort(queries @ vectors[rows].T, axis=1)[:, ::-1][:, :10]
    for most, recall in ((0, 0.999), (1000, 0.99)):
        scores, found = lists.compare(queries, 10, rows, most)
        assert np.isin(found, rows).all()
        np.testing.assert_allclose(scores, np.einsum("qd,qkd->qk", queries, vectors[found]), atol=1e-5)
        assert (scores >= exact[:, 9:] - 1e-5).mean() >= recall, most


def shard_of(vectors: NDArray[np.float32]) -> Shard:
    """Trained; half of the products cost 1."""
    shard = Shard(EXTRACTOR, vectors.shape[1])
    shard.open_attributes(Indexed(FIELDS))
    batch = DeltaBatch(EXTRACTOR)
    for number, vector in enumerate(vectors):
        product, price = f"p{number}", float(number % 2)
        batch.add(image_id(product, URL), product, state_seq=1, valid=True, image_seq=1, url=URL, price=price,
                  vector_seq=1, vector=vector.tobytes())  # fmt: skip
    shard.apply(batch)
    shard.train(NLIST, seed=1, threads=1)
    return shard


def ask(shard: Shard, queries: NDArray[np.float32]) -> ShardAnswer:
    return shard.answer(ShardQuestion(queries, 10, tree=parse_filter({"price": 1}, FIELDS)))


@pytest.mark.parametrize(("form", "said"), FORMS)
def test_shard_by_either_form_finds_what_passes_and_comes_back_from_its_files(
    form: Form, said: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("indexing.shard.training.default_kind", lambda _count, _dimension: IndexKind.IVF_PCA)
    monkeypatch.setattr("indexing.shard.training.train_codec", lambda _kind, sample, _seed: form(sample))
    vectors, queries = clustered(IMAGES, 300), clustered(40, 300, seed=2)
    shard = shard_of(vectors)
    monkeypatch.undo()
    tenth = np.sort(queries @ vectors[1::2].T, axis=1)[:, -10]
    answers = []
    snapshot.save(shard, tmp_path, {0: 1})
    restored, _ = snapshot.restore(tmp_path)
    restored.open_attributes(Indexed(FIELDS))
    for each in (shard, restored):
        answer = ask(each, queries)
        assert answer.plan == f"{IMAGES // 2} of {IMAGES} rows pass, {said} compared"
        assert np.mean([hit.score >= least - 1e-5 for hits, least in zip(answer.found, tenth, strict=True)
                        for hit in hits]) >= 0.99  # fmt: skip
        assert all(int(hit.product_id[1:]) % 2 for hits in answer.found for hit in hits)
        answers.append([[(hit.product_id, hit.score) for hit in hits] for hits in answer.found])
        # It goes on, too: what is new is found by its code.
        far = clustered(1, 300, seed=9)
        batch = DeltaBatch(EXTRACTOR)
        batch.add(image_id("new", URL), "new", state_seq=2, valid=True, image_seq=2, url=URL, price=1.0,
                  vector_seq=2, vector=far[0].tobytes())  # fmt: skip
        each.apply(batch)
        assert ask(each, far).found[0][0].product_id == "new"
    assert answers[0] == answers[1]
