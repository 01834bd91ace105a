"""Recall of searches as shoppers ask them: the same vector, searched exactly among the same rows at the same moment."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from indexing.shard.state import ShardState
from indexing.training.probes import RECALL_AT, recall_of

_NOBODYS = np.array([-1], np.int64)


def recalls(state: ShardState, vectors: NDArray[np.float32], limit: int) -> list[float]:
    """For each vector, the share of the ten best rows that a search for `limit` finds; none where there are no rows.

    What is written between the two looks at one vector counts against the search, at most.
    """
    found = []
    for number in range(len(vectors)):
        query = np.ascontiguousarray(vectors[number : number + 1], np.float32)
        lists, selector, probes = state.lists, state.validity.selector, state.probes
        best, there = lists.exactly(query, RECALL_AT, selector)
        truth = np.where(there >= 0, best, -np.inf)
        if not np.isfinite(truth).any():
            continue
        scores, rows = lists.scan(query, max(limit + 1, RECALL_AT), selector, probes)
        found.append(recall_of(scores[:, :RECALL_AT], rows[:, :RECALL_AT], _NOBODYS, truth))
    return found
