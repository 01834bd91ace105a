"""The chosen centroid against comparing all of them, for vectors that make it easy and vectors that make it hard.

Every `NearestCentroid` is held to it: the processor's, and a card's, on PyTorch's CPU and on a card where there is one.
"""

from __future__ import annotations

from functools import partial

import numpy as np
import pytest
import torch
from numpy.typing import NDArray

from indexing.training.card import CardSearch, card_search
from indexing.training.nearest import CentroidSearch, principal_axes
from indexing.training.search import SearchOver

CENTROIDS, DIMENSION, VECTORS = 1100, 288, 5000


def unit(vectors: NDArray[np.float32]) -> NDArray[np.float32]:
    return np.asarray(vectors / np.linalg.norm(vectors, axis=1, keepdims=True), dtype=np.float32)


def spectrum(alpha: float, seed: int = 0) -> NDArray[np.float32]:
    """Vectors whose energy falls with the direction's number to the power `alpha`; 0: the same everywhere."""
    random = np.random.default_rng(seed)
    scale = np.arange(1, DIMENSION + 1) ** (-alpha / 2)
    centres = random.standard_normal((200, DIMENSION)) * scale
    vectors = centres[random.integers(0, 200, VECTORS)] + 0.6 * random.standard_normal((VECTORS, DIMENSION)) * scale
    turned = np.linalg.qr(random.standard_normal((DIMENSION, DIMENSION)))[0]
    return unit(np.asarray(vectors @ turned, dtype=np.float32))


def few_directions() -> NDArray[np.float32]:
    random = np.random.default_rng(1)
    return unit(random.standard_normal((VECTORS, 12), dtype=np.float32) @ random.standard_normal((12, DIMENSION)))


CASES = {
    "even": spectrum(0.0),
    "slowly falling": spectrum(1.0),
    "fast falling": spectrum(2.0),
    "few directions": few_directions(),
    "of any length": spectrum(1.0) * np.random.default_rng(2).uniform(0.01, 50, (VECTORS, 1)).astype(np.float32),
    "many equal ones": np.repeat(spectrum(1.0)[: VECTORS // 10], 10, axis=0),
    "zeros among them": spectrum(1.0) * (np.arange(VECTORS) % 7 > 0)[:, None].astype(np.float32),
}


SEARCHES: list[object] = [
    pytest.param(CentroidSearch, id="processor"),
    pytest.param(partial(card_search, torch.device("cpu")), id="card's, on the processor"),
    pytest.param(
        partial(card_search, torch.device("cuda")),
        id="card",
        marks=pytest.mark.skipif(not torch.cuda.is_available(), reason="no graphics card that PyTorch can use"),
    ),
]


@pytest.mark.parametrize("search", SEARCHES)
@pytest.mark.parametrize("case", CASES)
@pytest.mark.parametrize("known", [True, False], ids=["axes given", "axes of the centroids"])
def test_no_centroid_is_nearer_than_the_one_chosen(case: str, known: bool, search: SearchOver) -> None:
    vectors = CASES[case]
    centroids = vectors[np.random.default_rng(3).permutation(VECTORS)[:CENTROIDS]]
    axes = principal_axes(vectors) if known else None
    numbers, scores = search(centroids, axes).nearest(vectors)
    assert (numbers.dtype, scores.dtype) == (np.int32, np.float32)
    products = vectors.astype(np.float64) @ centroids.astype(np.float64).T
    chosen = np.take_along_axis(products, numbers[:, None].astype(np.int64), axis=1)[:, 0]
    rounding = 1e-5 * np.linalg.norm(vectors, axis=1) * np.linalg.norm(centroids, axis=1).max()
    assert (products.max(axis=1) - chosen <= rounding).all()
    assert (np.abs(scores - chosen) <= rounding).all()


@pytest.mark.parametrize("search", SEARCHES)
def test_few_centroids_and_short_vectors_are_compared_whole(search: SearchOver) -> None:
    for count, dimension in ((1, 512), (64, 512), (1100, 16)):
        vectors = unit(np.random.default_rng(4).standard_normal((500, dimension), dtype=np.float32))
        centroids = unit(np.random.default_rng(5).standard_normal((count, dimension), dtype=np.float32))
        numbers, _ = search(centroids, None).nearest(vectors)
        assert numbers.tolist() == (vectors @ centroids.T).argmax(axis=1).tolist()


@pytest.mark.parametrize("search", SEARCHES)
def test_no_vectors_have_no_centroids(search: SearchOver) -> None:
    numbers, scores = search(np.eye(4, dtype=np.float32), None).nearest(np.empty((0, 4), dtype=np.float32))
    assert len(numbers) == len(scores) == 0


def test_card_without_room_for_the_vectors_compares_them_in_parts_and_without_any_leaves_them_to_the_processor(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    vectors = CASES["slowly falling"]
    centroids = vectors[:CENTROIDS]
    expected, _ = CardSearch(centroids, torch.device("cpu")).nearest(vectors)
    whole = CardSearch._compared
    for room in (1500, 0):

        def short(self: CardSearch, given: NDArray[np.float32], room: int = room) -> object:
            if len(given) > room:
                raise torch.OutOfMemoryError("CUDA out of memory")
            return whole(self, given)

        monkeypatch.setattr(CardSearch, "_compared", short)
        numbers, _ = CardSearch(centroids, torch.device("cpu")).nearest(vectors)
        assert (numbers == expected).mean() > 0.999


def test_centroids_that_a_card_has_no_room_for_are_the_processors(monkeypatch: pytest.MonkeyPatch) -> None:
    def full(self: CardSearch, *_: object) -> None:
        raise torch.OutOfMemoryError("CUDA out of memory")

    monkeypatch.setattr(CardSearch, "__init__", full)
    assert isinstance(card_search(torch.device("cpu"), np.eye(4, dtype=np.float32), None), CentroidSearch)


def test_axes_are_orthonormal_and_begin_with_the_most_energy() -> None:
    vectors = CASES["fast falling"]
    axes = principal_axes(vectors)
    np.testing.assert_allclose(axes.T @ axes, np.eye(DIMENSION), atol=1e-5)
    energy = ((vectors @ axes) ** 2).sum(axis=0)
    assert energy[:32].sum() > 0.8 * energy.sum()
    assert (np.diff(energy) <= 1e-3 * energy[0]).all()
