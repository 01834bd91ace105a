"""Training: centroids by k-means on a sample."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Any

import faiss as _faiss
import numpy as np
from numpy.typing import NDArray

from indexing.lists.kinds import IndexKind
from indexing.lists.view import Part
from indexing.training.kmeans import spherical_kmeans
from indexing.training.nearest import CentroidSearch
from indexing.training.search import SearchOver

faiss: Any = _faiss  # its type stubs lack half of what SWIG exports

ITERATIONS = 10
_POINTS_PER_CENTROID = 64


@contextmanager
def omp_threads(threads: int) -> Iterator[None]:
    """Lets faiss use this many threads for calls of the current thread; 0: as before."""
    before = faiss.omp_get_max_threads()
    if threads:
        faiss.omp_set_num_threads(threads)
    try:
        yield
    finally:
        faiss.omp_set_num_threads(before)


def default_nlist(vectors: int, kind: IndexKind = IndexKind.IVF_FLAT) -> int:
    """The power of two next to 4 * sqrt(n), as faiss advises: centroids then cost about what the lists do.

    Twice as many for `ivf_pca`, whose centroids are compared by their projections.
    """
    lists = 1 << max(0, round(math.log2(4 * math.sqrt(max(vectors, 1)))))
    return 2 * lists if kind is IndexKind.IVF_PCA else lists


def train_centroids(
    sample: NDArray[np.float32], nlist: int, seed: int, search: SearchOver = CentroidSearch
) -> NDArray[np.float32]:
    """(nlist, dimension) float32, of length 1, by spherical k-means; the same for the same sample, seed and search."""
    return spherical_kmeans(sample, nlist, ITERATIONS, seed, search)


def sample_vectors(parts: Sequence[Part], wanted: int, seed: int) -> NDArray[np.float32]:
    """`wanted` vectors of all lists, drawn without replacement (all of them when there are fewer)."""
    total = sum(len(ids) for _, ids in parts)
    dimension = parts[0][0].shape[1]
    drawn = np.arange(total)
    if total > wanted:
        drawn = np.sort(np.random.default_rng(seed).choice(total, wanted, replace=False))
    sample = np.empty((len(drawn), dimension), dtype=np.float32)
    start = done = 0
    for codes, ids in parts:
        stop = int(np.searchsorted(drawn, start + len(ids)))
        sample[done:stop] = codes[drawn[done:stop] - start]
        start, done = start + len(ids), stop
    return sample


def sample_size(nlist: int) -> int:
    """Vectors that k-means looks at."""
    return nlist * _POINTS_PER_CENTROID
