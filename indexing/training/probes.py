"""Recall of lists on held-back vectors against exact search, and the nprobe that reaches the recall wanted."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import faiss as _faiss
import numpy as np
from numpy.typing import NDArray

from indexing.lists.reranked import CodedLists, Lists
from indexing.rows.validity import ValidityBitmap

faiss: Any = _faiss  # its type stubs lack half of what SWIG exports

RECALL_AT = 10
_BLOCK_ROWS = 1 << 15
_MEASURED_QUERIES = 256
_ROUNDING = 1e-5
"""BLAS and the scanners add up in another order: scores this near are the same score."""


@dataclass(frozen=True, slots=True)
class ChosenProbes:
    """`recall`: mean recall@10 against exact search on `queries` held-back vectors."""

    nprobe: int
    recall: float
    queries: int


def exact_scores(
    queries: NDArray[np.float32], own: NDArray[np.int64], vectors: NDArray[np.float32], usable: NDArray[np.bool_]
) -> NDArray[np.float32]:
    """The ten best inner products of each query with the usable vectors other than itself, (queries, 10), best first.

    own: each query's position in `vectors`. -inf where there are fewer than
    ten. Blocks of the vectors go through BLAS one after the other: no index,
    no list, nothing that the lists could have got wrong too.
    """
    best = np.full((len(queries), RECALL_AT), -np.inf, dtype=np.float32)
    for start in range(0, len(vectors), _BLOCK_ROWS):
        inside = usable[start : start + _BLOCK_ROWS]
        block = vectors[start : start + _BLOCK_ROWS]
        positions = np.nonzero(inside)[0]
        if len(positions) < len(block):
            block = block[positions]
        if not len(block):
            continue
        scores, found = faiss.knn(queries, np.ascontiguousarray(block), min(RECALL_AT + 1, len(block)), metric=0)
        scores[positions[found] + start == own[:, None]] = -np.inf
        best = -np.sort(-np.concatenate([best, scores], axis=1), axis=1)[:, :RECALL_AT]
    return best


def choose_probes(
    lists: Lists,
    queries: NDArray[np.float32],
    own_rows: NDArray[np.int64],
    truth: NDArray[np.float32],
    selector: Any,
    wanted: float,
) -> ChosenProbes:
    """The smallest nprobe whose mean recall@10 is at least `wanted`.

    All lists reach 1, unless codes lose neighbours: then the smallest that reaches what all lists do.

    own_rows: each query's row, which does not count as found. truth: see
    `exact_scores`. A neighbour counts as found when its score is among the ten
    best: which of several equal pictures came first does not matter.
    """
    known: dict[int, float] = {}

    def recall(nprobe: int) -> float:
        if nprobe not in known:
            scores, rows = lists.scan(queries, RECALL_AT + 1, selector, nprobe)
            known[nprobe] = recall_of(scores, rows, own_rows, truth)
        return known[nprobe]

    if isinstance(lists, CodedLists):
        wanted = min(wanted, recall(len(lists)))
    high = 1
    while high < len(lists) and recall(high) < wanted:
        high *= 2
    low, high = high // 2 + 1, min(high, len(lists))
    while low < high:
        middle = (low + high) // 2
        if recall(middle) >= wanted:
            high = middle
        else:
            low = middle + 1
    return ChosenProbes(low, recall(low), len(queries))


def recall_of(
    scores: NDArray[np.float32], rows: NDArray[np.int64], own_rows: NDArray[np.int64], truth: NDArray[np.float32]
) -> float:
    """Mean share of the `truth` that the found (scores, rows), (queries, k) each, hold without their own rows."""
    there = np.isfinite(truth).sum(axis=1)
    least = np.where(there > 0, np.take_along_axis(truth, np.maximum(there - 1, 0)[:, None], axis=1)[:, 0], np.inf)
    good = (rows >= 0) & (rows != own_rows[:, None]) & (scores >= least[:, None] - _ROUNDING)
    shares = np.minimum(good.sum(axis=1), there)[there > 0] / there[there > 0]
    return float(shares.mean()) if len(shares) else 1.0


def choose_live_probes(lists: Lists, validity: ValidityBitmap, wanted: float, seed: int) -> ChosenProbes:
    """`choose_probes` on vectors of a living shard, some of those that a search may return.

    Exact search is the probing of all lists; for a coded kind that is all its codes, ranked again by the vectors.
    """
    rows = np.concatenate([ids for _, ids in lists.parts()])
    rows = rows[validity.holds(rows)]
    if len(rows) > _MEASURED_QUERIES:
        rows = np.sort(np.random.default_rng(seed).choice(rows, _MEASURED_QUERIES, replace=False))
    found = [(row, vector) for row in rows.tolist() if (vector := lists.vector(row)) is not None]
    if not found:
        return ChosenProbes(1, 1.0, 0)
    own = np.array([row for row, _ in found], np.int64)
    queries = np.stack([vector for _, vector in found])
    scores, nearest = lists.scan(queries, RECALL_AT + 1, validity.selector, len(lists))
    others = np.where((nearest >= 0) & (nearest != own[:, None]), scores, -np.inf)
    truth = -np.sort(-others, axis=1)[:, :RECALL_AT]
    return choose_probes(lists, queries, own, truth, validity.selector, wanted)
