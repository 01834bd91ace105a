"""Groups of pictures that are one: rows that near pairs connect."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from indexing.doubles.pairs import near_pairs
from schemas.doubles import told_apart


@dataclass(frozen=True, slots=True)
class Group:
    """rows: ascending. likeness: of each to the one that is most like all of them, 1 for itself."""

    rows: NDArray[np.int64]
    likeness: NDArray[np.float32]


def groups(vectors: NDArray[np.float32], least: float, colours: Sequence[str] = ()) -> list[Group]:
    """Groups of two rows and more, the largest first; rows of one group are connected by pairs of `least` or more.

    vectors: (n, dimension) of unit length. colours: of each row, see `schemas.doubles`; (): of none is known. Takes 128
    numbers a row beside the vectors; 100,000 rows take a minute of a core.
    """
    colours = colours or [""] * len(vectors)
    first, number = _different(vectors, colours)
    parents = np.arange(len(first))
    different = vectors[first]
    for left, right, _ in near_pairs(different, least):
        for a, b in zip(left.tolist(), right.tolist(), strict=True):
            if not told_apart(colours[first[a]], colours[first[b]]):
                _join(parents, a, b)
    members: defaultdict[int, list[int]] = defaultdict(list)
    for row, of in enumerate(number.tolist()):
        members[_root(parents, of)].append(row)
    found = [_group(vectors, np.array(rows)) for rows in members.values() if len(rows) > 1]
    return sorted(found, key=lambda group: (-len(group.rows), int(group.rows[0])))


def _different(vectors: NDArray[np.float32], colours: Sequence[str]) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """(a row of each vector and colour, of every row which of these it equals): thousands may have one picture."""
    known: dict[tuple[bytes, str], int] = {}
    pairs = zip(vectors, colours, strict=True)
    number = np.array([known.setdefault((row.tobytes(), of), len(known)) for row, of in pairs], dtype=np.int64)
    return np.unique(number, return_index=True)[1].astype(np.int64), number


def _root(parents: NDArray[np.int64], row: int) -> int:
    while (parent := int(parents[row])) != row:
        parents[row] = parents[parent]
        row = parent
    return row


def _join(parents: NDArray[np.int64], left: int, right: int) -> None:
    left, right = _root(parents, left), _root(parents, right)
    parents[max(left, right)] = min(left, right)


def _group(vectors: NDArray[np.float32], rows: NDArray[np.int64]) -> Group:
    members = vectors[rows]
    middle = members[int(np.argmax(members @ members.sum(axis=0)))]
    return Group(rows, np.minimum(members @ middle, np.float32(1)))
