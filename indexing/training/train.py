"""Training: centroids by k-means on a sample, lists filled by nearest centroid, nprobe by measured recall."""

from __future__ import annotations

import math
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import faiss as _faiss
import numpy as np
from numpy.typing import NDArray

from indexing.lists.inverted_lists import Part
from indexing.lists.reranked import Lists
from indexing.training.kmeans import spherical_kmeans

faiss: Any = _faiss  # its type stubs lack half of what SWIG exports

RECALL_AT = 10
_ITERATIONS = 10
_POINTS_PER_CENTROID = 64
_MEASURED_QUERIES = 256


@dataclass(frozen=True, slots=True)
class ChosenProbes:
    """`recall`: mean recall@10 against exact search on `queries` held-back vectors."""

    nprobe: int
    recall: float
    queries: int


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


def default_nlist(vectors: int) -> int:
    """The power of two next to 4 * sqrt(n), as faiss advises: centroids then cost about what the lists do."""
    return 1 << max(0, round(math.log2(4 * math.sqrt(max(vectors, 1)))))


def train_centroids(sample: NDArray[np.float32], nlist: int, seed: int) -> NDArray[np.float32]:
    """(nlist, dimension) float32, of length 1, by spherical k-means; the same for the same sample and seed."""
    return spherical_kmeans(sample, nlist, _ITERATIONS, seed)


def sample_vectors(parts: list[Part], wanted: int, seed: int) -> NDArray[np.float32]:
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


def choose_nprobe(lists: Lists, recall: float, seed: int) -> ChosenProbes:
    """The smallest nprobe whose recall@10 reaches `recall`, measured on stored vectors that do not count as found.

    Exact search is the probing of all lists; for a coded kind that is all its codes, ranked again by the vectors.
    """
    rows = np.concatenate([ids for _, ids in lists.parts()])
    if len(rows) > _MEASURED_QUERIES:
        rows = np.sort(np.random.default_rng(seed).choice(rows, _MEASURED_QUERIES, replace=False))
    queries = np.stack([vector for row in rows.tolist() if (vector := lists.vector(row)) is not None])
    truth = _neighbours(lists, queries, rows, len(lists))

    def measured(nprobe: int) -> float:
        found = _neighbours(lists, queries, rows, nprobe)
        shares = [len(set(a) & set(b)) / len(b) for a, b in zip(found, truth, strict=True) if b]
        return float(np.mean(shares)) if shares else 1.0

    low, high = 1, len(lists)
    while low < high:
        middle = (low + high) // 2
        if measured(middle) >= recall:
            high = middle
        else:
            low = middle + 1
    return ChosenProbes(low, measured(low), len(rows))


def _neighbours(lists: Lists, queries: NDArray[np.float32], rows: NDArray[np.int64], nprobe: int) -> list[list[int]]:
    """The ten nearest rows of each query but itself."""
    _, found = lists.search(queries, RECALL_AT + 1, None, nprobe)
    return [
        [row for row in line if row >= 0 and row != own][:RECALL_AT]
        for line, own in zip(found.tolist(), rows.tolist(), strict=True)
    ]
