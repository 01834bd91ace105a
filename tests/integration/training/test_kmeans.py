"""Spherical k-means: as good as faiss's on the same sample, the same every time, and no cluster without members."""

from __future__ import annotations

from functools import partial
from typing import Any

import faiss as _faiss
import numpy as np
import pytest
import torch
from numpy.typing import NDArray

from indexing.training.card import card_search
from indexing.training.kmeans import spherical_kmeans
from indexing.training.nearest import CentroidSearch
from tests.integration.training.test_nearest import CASES

faiss: Any = _faiss


def similarity(centroids: NDArray[np.float32], vectors: NDArray[np.float32]) -> float:
    return float(CentroidSearch(centroids).nearest(vectors)[1].mean())


@pytest.mark.parametrize("case", ["even", "slowly falling", "fast falling", "few directions"])
@pytest.mark.parametrize("clusters", [40, 1100])
def test_sample_is_as_near_to_its_centroids_as_faiss_brings_it(case: str, clusters: int) -> None:
    sample = CASES[case]
    ours = spherical_kmeans(sample, clusters, 10, seed=0)
    theirs = faiss.Kmeans(
        sample.shape[1], clusters, niter=10, spherical=True, seed=1, min_points_per_centroid=1,
        max_points_per_centroid=1000,
    )  # fmt: skip
    theirs.train(sample)
    np.testing.assert_allclose(np.linalg.norm(ours, axis=1), 1, atol=1e-5)
    assert similarity(ours, sample) > similarity(theirs.centroids, sample) - 0.01


@pytest.mark.parametrize("clusters", [40, 1100])
def test_card_comes_to_centroids_as_near_and_to_the_same_ones_each_time(clusters: int) -> None:
    sample = CASES["slowly falling"]
    search = partial(card_search, torch.device("cuda" if torch.cuda.is_available() else "cpu"))
    one, two = (spherical_kmeans(sample, clusters, 10, 0, search) for _ in range(2))
    assert np.array_equal(one, two)
    assert abs(similarity(one, sample) - similarity(spherical_kmeans(sample, clusters, 10, 0), sample)) < 0.002


def test_same_sample_and_seed_give_the_same_centroids() -> None:
    sample = CASES["slowly falling"]
    one, two = (spherical_kmeans(sample, 1100, 3, seed=5) for _ in range(2))
    assert np.array_equal(one, two)
    assert not np.array_equal(one, spherical_kmeans(sample, 1100, 3, seed=6))


def test_cluster_without_members_takes_half_of_another() -> None:
    """Nine tenths of the sample are one picture: most first centroids are equal, and all but one of them go empty."""
    random = np.random.default_rng(0)
    sample = random.standard_normal((1000, 16)).astype(np.float32)
    sample[:900] = sample[0]
    sample /= np.linalg.norm(sample, axis=1, keepdims=True)
    centroids = spherical_kmeans(sample, 50, 10, seed=0)
    assert np.isfinite(centroids).all()
    assert len(np.unique(centroids, axis=0)) == 50
    assert similarity(centroids, sample[900:]) > 0.6


def test_as_many_clusters_as_vectors_are_the_vectors() -> None:
    sample = CASES["even"][:20]
    centroids = spherical_kmeans(sample, 20, 10, seed=0)
    assert sorted(map(tuple, centroids.round(5).tolist())) == sorted(map(tuple, sample.round(5).tolist()))
    same = np.ones((4, 8), dtype=np.float32)
    assert np.isfinite(spherical_kmeans(same, 4, 10, seed=0)).all()


def test_more_clusters_than_vectors_are_refused() -> None:
    with pytest.raises(ValueError, match="each needs one at least"):
        spherical_kmeans(CASES["even"][:3], 4, 10, seed=0)
