"""All pairs of unit vectors that are nearly equal, exactly, by a fraction of the multiplications.

An inner product is that of two heads (the numbers along the directions of most
energy) plus that of two tails, which is at most the product of their lengths.
With the tail's length as one more number, the inner product of the short
vectors is an upper bound; pairs whose bound is too small are none, and the few
others are compared by all numbers. The same bound finds the nearest centroid
(`indexing.training.nearest`).
"""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
from numpy.typing import NDArray

from indexing.lists.projection import principal_axes

_HEAD = 127
_ROWS, _COLUMNS = 1 << 10, 1 << 14
"""Of one block of bounds: 64 MiB."""
_COMPARED = 1 << 12
"""Pairs whose vectors are gathered at a time."""
_ROUNDING = 1e-5
"""What float32 may take from a bound."""

Pairs = tuple[NDArray[np.int64], NDArray[np.int64], NDArray[np.float32]]
"""Row, greater row, inner product, (n,) each."""


def near_pairs(vectors: NDArray[np.float32], least: float) -> Iterator[Pairs]:
    """Pairs of rows whose inner product is `least` or more, block by block; each pair once.

    vectors: (n, dimension) of unit length. All rows may be equal, and then there are n * (n - 1) / 2 pairs: see
    `groups`, which asks about different ones only.
    """
    heads = _heads(vectors)
    for first in range(0, len(vectors), _ROWS):
        rows = heads[first : first + _ROWS]
        for begin in range(first, len(vectors), _COLUMNS):
            left, right = np.nonzero(rows @ heads[begin : begin + _COLUMNS].T >= least - _ROUNDING)
            left, right = left + first, right + begin
            once = left < right
            yield from _compared(vectors, left[once], right[once], least)


def _heads(vectors: NDArray[np.float32]) -> NDArray[np.float32]:
    """(head, length of the tail) of each row; all of a short vector."""
    if vectors.shape[1] <= _HEAD + 1 or not len(vectors):
        return vectors
    heads = vectors @ principal_axes(vectors)[:, :_HEAD]
    rest = np.einsum("ij,ij->i", vectors, vectors) - np.einsum("ij,ij->i", heads, heads)
    return np.concatenate([heads, np.sqrt(np.maximum(rest, 0))[:, None]], axis=1)


def _compared(
    vectors: NDArray[np.float32], left: NDArray[np.int64], right: NDArray[np.int64], least: float
) -> Iterator[Pairs]:
    for start in range(0, len(left), _COMPARED):
        part = slice(start, start + _COMPARED)
        likeness = np.einsum("ij,ij->i", vectors[left[part]], vectors[right[part]])
        near = likeness >= least
        yield left[part][near], right[part][near], likeness[near]
