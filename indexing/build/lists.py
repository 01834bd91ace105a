"""Vectors into lists, without a second copy of them: assigned in batches, gathered when they are written."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from indexing.lists.codec import Codec
from indexing.lists.view import segment_rows
from indexing.shard.contents import VectorRows
from indexing.training.nearest import CentroidSearch
from indexing.training.search import SearchOver

_ASSIGNED_ROWS = 1 << 14


def assign(
    vectors: NDArray[np.float32],
    centroids: NDArray[np.float32],
    codec: Codec | None = None,
    search_over: SearchOver = CentroidSearch,
) -> NDArray[np.int32]:
    """The centroid of greatest inner product for each vector, (n,), as a live shard's lists choose it.

    `codec`: by what a scan sees of both, see `Codec.scanned`. `search_over`: who finds it.
    """
    if codec is None:
        return search_over(centroids, None).nearest(vectors)[0]
    search = search_over(codec.scanned(centroids), None)
    numbers = np.empty(len(vectors), dtype=np.int32)
    for start in range(0, len(vectors), _ASSIGNED_ROWS):
        part = slice(start, start + _ASSIGNED_ROWS)
        numbers[part], _ = search.nearest(codec.scanned(vectors[part]))
    return numbers


class GatheredVectors:
    """The vectors at some positions of an array, copied out slice by slice."""

    def __init__(self, vectors: NDArray[np.float32], positions: NDArray[np.int64]) -> None:
        self._vectors = vectors
        self._positions = positions

    def __len__(self) -> int:
        return len(self._positions)

    def __getitem__(self, part: slice) -> NDArray[np.float32]:
        gathered: NDArray[np.float32] = self._vectors[self._positions[part]]
        return gathered


class EncodedCodes:
    """The codes of vectors, as words, encoded slice by slice."""

    def __init__(self, codec: Codec, vectors: VectorRows) -> None:
        self._codec = codec
        self._vectors = vectors

    def __len__(self) -> int:
        return len(self._vectors)

    def __getitem__(self, part: slice) -> NDArray[np.float32]:
        return self._codec.encode(self._vectors[part])


def by_list(
    vectors: NDArray[np.float32], rows: NDArray[np.int64], numbers: NDArray[np.int32], nlist: int
) -> list[tuple[VectorRows, NDArray[np.int64]]]:
    """(vectors, row numbers) of each of the `nlist` lists, in the order of arrival."""
    order = np.argsort(numbers, kind="stable")
    ends = np.cumsum(np.bincount(numbers, minlength=nlist)).tolist()
    starts = [0, *ends[:-1]]
    chosen = [order[start:end] for start, end in zip(starts, ends, strict=True)]
    return [(GatheredVectors(vectors, positions), rows[positions]) for positions in chosen]


def by_segment(vectors: NDArray[np.float32], rows: NDArray[np.int64]) -> list[tuple[VectorRows, NDArray[np.int64]]]:
    """(vectors, row numbers) of each segment of a shard for exact search, of about 4 MiB."""
    size = segment_rows(vectors.shape[1])
    return [(vectors[start : start + size], rows[start : start + size]) for start in range(0, len(rows), size)]
