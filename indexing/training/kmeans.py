"""Spherical k-means (Lloyd's), assignments by `nearest` or on a card: what faiss.Kmeans comes to, in less time."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from indexing.lists.projection import principal_axes
from indexing.training.nearest import CentroidSearch
from indexing.training.search import SearchOver

_APART = np.float32(1 / 1024)
"""How far the halves of a divided cluster begin from each other, as in faiss."""


def spherical_kmeans(
    sample: NDArray[np.float32], clusters: int, iterations: int, seed: int, search: SearchOver = CentroidSearch
) -> NDArray[np.float32]:
    """Centroids of length 1, (clusters, dimension); the same for the same sample, seed and search.

    Begins with `clusters` members of the sample. An iteration assigns all of
    the sample and replaces each centroid by the direction of its members' sum;
    one without members takes half of a large cluster. Ends early when nothing
    moves any more. search: who assigns; sums are the processor's, in one
    order. Raises `ValueError` for fewer vectors than clusters.
    """
    if len(sample) < clusters:
        raise ValueError(f"{clusters} clusters of {len(sample)} vectors: each needs one at least")
    random = np.random.default_rng(seed)
    sample = np.ascontiguousarray(sample, dtype=np.float32)
    axes = principal_axes(sample)
    centroids = _of_length_1(sample[random.permutation(len(sample))[:clusters]])
    before = np.empty(0, dtype=np.int32)
    for _ in range(iterations):
        numbers, _ = search(centroids, axes).nearest(sample)
        if np.array_equal(numbers, before):
            break
        before = numbers
        centroids = _of_length_1(_sums(sample, numbers, centroids, random))
    return centroids


def _sums(
    sample: NDArray[np.float32],
    numbers: NDArray[np.int32],
    centroids: NDArray[np.float32],
    random: np.random.Generator,
) -> NDArray[np.float32]:
    """Sum of each cluster's members, (clusters, dimension); divided ones where there are none."""
    sums = np.empty_like(centroids)
    counts = np.bincount(numbers, minlength=len(centroids))
    order = np.argsort(numbers, kind="stable")
    ends = np.cumsum(counts)
    for number, (end, count) in enumerate(zip(ends.tolist(), counts.tolist(), strict=True)):
        if count:
            sums[number] = sample[order[end - count : end]].sum(axis=0)
    signs = np.where(np.arange(sample.shape[1]) % 2, -_APART, _APART)
    for empty in np.nonzero(counts == 0)[0].tolist():
        weights = np.maximum(counts - 1, 0)
        divided = int(random.choice(len(counts), p=weights / weights.sum()))
        sums[empty], sums[divided] = sums[divided] * (1 + signs), sums[divided] * (1 - signs)
        counts[empty] = counts[divided] // 2
        counts[divided] -= counts[empty]
    return sums


def _of_length_1(vectors: NDArray[np.float32]) -> NDArray[np.float32]:
    lengths = np.linalg.norm(vectors, axis=1, keepdims=True)
    return np.ascontiguousarray(vectors / np.maximum(lengths, np.finfo(np.float32).tiny), dtype=np.float32)
