"""Recall of searches as shoppers ask them: the same vector, searched exactly among the same rows at the same moment."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import TypeAlias

import numpy as np
from numpy.typing import NDArray

from indexing.shard.passing import PassingRows
from indexing.shard.state import ShardState
from indexing.training.probes import RECALL_AT, recall_of
from schemas.query.filters import Filter

_NOBODYS = np.array([-1], np.int64)
_Look: TypeAlias = Callable[[NDArray[np.float32], int], tuple[NDArray[np.float32], NDArray[np.int64]]]
"""(query, k) -> the best scores and rows, as `InvertedLists.scan`."""


def recalls(state: ShardState, vectors: NDArray[np.float32], limit: int, tree: Filter | None = None) -> list[float]:
    """For each vector, the share of the ten best rows that a search for `limit` finds; none where there are no rows.

    `tree`: both among the rows that pass this filter. What is written between
    the two looks at one vector counts against the search, at most.
    Raises `ValueError` for a filter before the shard's attributes were opened.
    """
    found = []
    for number in range(len(vectors)):
        query = np.ascontiguousarray(vectors[number : number + 1], np.float32)
        exactly, search = _all_rows(state) if tree is None else _passing_rows(state, tree)
        best, there = exactly(query, RECALL_AT)
        truth = np.where(there >= 0, best, -np.inf)
        if not np.isfinite(truth).any():
            continue
        scores, rows = search(query, max(limit + 1, RECALL_AT))
        found.append(recall_of(scores[:, :RECALL_AT], rows[:, :RECALL_AT], _NOBODYS, truth))
    return found


def _all_rows(state: ShardState) -> tuple[_Look, _Look]:
    """The exact search and the one that shoppers get, over the same rows."""
    lists, selector = state.lists, state.validity.selector
    return partial(lists.exactly, selector=selector), partial(lists.scan, selector=selector, nprobe=state.probes)


def _passing_rows(state: ShardState, tree: Filter) -> tuple[_Look, _Look]:
    if state.attributes is None:
        raise ValueError("this shard answers no filters: open_attributes comes first")
    passing = PassingRows(state, state.attributes, tree, state.probes)
    return passing.exactly, passing.scan
