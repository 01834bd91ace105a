"""The nearest centroid of many vectors, exactly, by a fraction of the multiplications.

In an orthonormal basis that begins with the directions of most energy, an
inner product is a head (the first few numbers) plus a tail, and the tail is at
most the product of the two tails' lengths (Cauchy-Schwarz). With the tail's
length as one more number, a search over the short vectors (head, length) finds
the centroids of greatest *upper bound*. Those few are compared exactly; when
the best of them reaches the least bound found, no other centroid can be
nearer. Vectors that this does not settle go to a longer head, and last to all
numbers. The idea is that of LEMP (Teflioudi et al., SIGMOD 2015) and FEXIPRO
(Li et al., SIGMOD 2017). CNN features, whose energy lies in few directions,
are settled by the shortest head nearly all.
"""

from __future__ import annotations

from typing import Any

import faiss as _faiss
import numpy as np
from numpy.typing import NDArray

from indexing.lists.projection import principal_axes

faiss: Any = _faiss  # its type stubs lack half of what SWIG exports

_LEVELS = ((31, 4), (127, 8))
"""Numbers of a head (with the length a multiple of what processors multiply at once), and candidates compared."""
_FEWEST_CENTROIDS = 1024
"""With fewer, comparing all numbers costs no more than choosing."""
_BATCH_ROWS = 1 << 12
_ROUNDING = 4e-6
"""Of a squared length, as a part of it: float32 sums of some hundred squares are this exact, or better."""
_OVERHEAD = 150_000
"""What a level costs besides its multiplications, a vector, in multiplications."""


class _Level:
    """Heads of one length, and the centroids' ones to search among.

    `useful`: the last batch of vectors said that it settles enough of them to be worth its price.
    """

    def __init__(self, axes: NDArray[np.float32], centroids: NDArray[np.float32], candidates: int) -> None:
        # By faiss and not by numpy, whose BLAS has threads of its own that `omp_threads` does not count.
        self._rotation = faiss.LinearTransform(*axes.shape, False)
        faiss.copy_array_to_vector(np.ascontiguousarray(axes.T).ravel(), self._rotation.A)
        self._rotation.is_trained = True
        self._bounds = _flat(self._heads(centroids))
        self._centroids = centroids
        self._candidates = candidates
        self._worth = (self._bounds.ntotal * self._bounds.d + _OVERHEAD) / centroids.size
        self.useful = True

    def _heads(self, vectors: NDArray[np.float32]) -> NDArray[np.float32]:
        """(head, length of the tail) of each vector, the length rather too great than too small."""
        heads = self._rotation.apply(vectors)
        whole = np.einsum("ij,ij->i", vectors, vectors)
        rest = np.maximum(whole - np.einsum("ij,ij->i", heads, heads), 0) + _ROUNDING * whole
        return np.concatenate([heads, np.sqrt(rest)[:, None]], axis=1)

    def nearest(self, vectors: NDArray[np.float32]) -> tuple[NDArray[np.int64], NDArray[np.float32], NDArray[np.bool_]]:
        """(best candidate, its inner product, whether no other centroid can be nearer) of each vector."""
        bounds, candidates = self._bounds.search(self._heads(vectors), self._candidates)
        numbers = candidates[:, 0].copy()
        scores = np.einsum("ij,ij->i", vectors, self._centroids[numbers])
        for place in range(1, self._candidates):
            hopeful = np.nonzero(bounds[:, place] > scores)[0]
            if not len(hopeful):
                break
            others = candidates[hopeful, place]
            exact = np.einsum("ij,ij->i", vectors[hopeful], self._centroids[others])
            better = exact > scores[hopeful]
            numbers[hopeful[better]], scores[hopeful[better]] = others[better], exact[better]
        settled = scores >= bounds[:, -1]
        self.useful = np.count_nonzero(settled) > self._worth * len(settled)
        return numbers, scores, settled


class CentroidSearch:
    """Finds the centroid of greatest inner product. Does not change; one thread at a time.

    centroids: (n, dimension). axes: see `principal_axes`, of vectors like
    those to come; None: those of the centroids. Exact but for the rounding of
    float32: of two centroids that are equally near to the sixth digit either
    may be the answer, as with every other order of adding up.
    """

    def __init__(self, centroids: NDArray[np.float32], axes: NDArray[np.float32] | None = None) -> None:
        self._centroids = np.ascontiguousarray(centroids, dtype=np.float32)
        self._all = _flat(self._centroids)
        self._levels: list[_Level] = []
        count, dimension = centroids.shape
        sizes = [(size, candidates) for size, candidates in _LEVELS if 2 * size < dimension]
        if sizes and count >= _FEWEST_CENTROIDS:
            axes = principal_axes(self._centroids) if axes is None else axes
            self._levels = [_Level(axes[:, :size], self._centroids, candidates) for size, candidates in sizes]

    def nearest(self, vectors: NDArray[np.float32]) -> tuple[NDArray[np.int32], NDArray[np.float32]]:
        """(number of the nearest centroid, inner product with it) of each vector, (n,) each."""
        numbers = np.empty(len(vectors), dtype=np.int32)
        scores = np.empty(len(vectors), dtype=np.float32)
        for level in self._levels:
            level.useful = True
        for start in range(0, len(vectors), _BATCH_ROWS):
            part = slice(start, start + _BATCH_ROWS)
            numbers[part], scores[part] = self._batch(np.ascontiguousarray(vectors[part]))
        return numbers, scores

    def _batch(self, vectors: NDArray[np.float32]) -> tuple[NDArray[np.int64], NDArray[np.float32]]:
        numbers = np.empty(len(vectors), dtype=np.int64)
        scores = np.empty(len(vectors), dtype=np.float32)
        unsettled = np.arange(len(vectors))
        for level in self._levels:
            if level.useful and len(unsettled):
                left = vectors if len(unsettled) == len(vectors) else vectors[unsettled]
                numbers[unsettled], scores[unsettled], settled = level.nearest(left)
                unsettled = unsettled[~settled]
        if len(unsettled):
            best, found = self._all.search(vectors[unsettled], 1)
            numbers[unsettled], scores[unsettled] = found[:, 0], best[:, 0]
        return numbers, scores


def _flat(vectors: NDArray[np.float32]) -> Any:
    index = faiss.IndexFlatIP(vectors.shape[1])
    index.add(np.ascontiguousarray(vectors))
    return index
