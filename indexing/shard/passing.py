"""The rows that pass a filter, and a scan of them alone.

A selective filter leaves few rows: those are looked up by their numbers, one
and all, or where there are more those in the nearest lists. A broad one
restricts the scan of the lists, which goes on from the nearest list to the
farthest. Either way as many passing rows are compared as a query without a
filter compares, or `LEAST_COMPARED`. So recall does not depend on the filter,
also where what passes lies far from the query. The choice by the number of
what passes is Qdrant's and Vespa's as well.
"""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import NDArray

from indexing.shard.attributes import ProductAttributes
from indexing.shard.state import ShardState
from schemas.found import Hit
from schemas.query.filters import Filter

LEAST_COMPARED = 1200
"""Passing rows that are compared at least, where there are as many."""
_LISTS_MORE = 2
"""How many times the lists that hold as many passing rows on an average may be scanned for them."""


class PassingRows:
    """Rows that can be found by their vector and pass `tree`, as of the last look. For one query's thread.

    `nprobe`: lists that a query without a filter probes.
    """

    def __init__(self, state: ShardState, attributes: ProductAttributes, tree: Filter, nprobe: int) -> None:
        self._state = state
        self._attributes = attributes
        self._tree = tree
        self._nprobe = nprobe
        self._scans = 0
        self.plan = ""
        # Before the first look, for all of them: a later one, for one query, says nothing of what others found before.
        self._writes = attributes.columns.writes
        self._look()

    def _look(self) -> None:
        self._mask = self._attributes.columns.passing(self._tree, searchable=True)

    def rows(self) -> NDArray[np.int64]:
        """Their numbers, ascending; not to be changed."""
        return self._mask.numbers

    def scan(self, queries: NDArray[np.float32], k: int) -> tuple[NDArray[np.float32], NDArray[np.int64]]:
        """As `InvertedLists.scan`, over these rows. From the second time on they are looked for anew, in all lists."""
        again = self._scans > 0
        self._scans += 1
        if again:
            self._look()
        mask = self._mask
        lists = self._state.lists
        count = len(lists)
        most = math.ceil(max(LEAST_COMPARED, 4 * k, self._nprobe / max(1, count) * self._state.searchable))
        if mask.count <= lists.gathered:
            most = most if lists.narrows and most < mask.count and not again else 0
            said = f"the {most} in the nearest lists" if most else "all of them"
            self.plan = f"{mask.count} of {len(mask)} rows pass, {said} compared"
            return lists.compare(queries, k, mask.numbers, most)
        if again or lists.centroids is None:
            self.plan = f"{mask.count} of {len(mask)} rows pass, all lists scanned for them"
            return lists.scan(queries, k, mask.selector, count)
        probes = min(count, math.ceil(_LISTS_MORE * count * most / mask.count))
        self.plan = f"{mask.count} of {len(mask)} rows pass, the nearest {most} or so compared"
        scores, rows = lists.scan(queries, k, mask.selector, probes, most)
        if probes < count and (rows[:, min(k, mask.count) - 1] < 0).any():
            self.plan += ", then all"
            scores, rows = lists.scan(queries, k, mask.selector, count)
        return scores, rows

    def exactly(self, queries: NDArray[np.float32], k: int) -> tuple[NDArray[np.float32], NDArray[np.int64]]:
        """The best there are of the rows as they were last looked for: what a scan should find. Slow."""
        return self._state.lists.exactly(queries, k, self._mask.selector)

    def hit(self, number: int, score: float, longest: int) -> Hit | None:
        """As `ForwardIndex.hit`, None also where the row does not pass as it is shown. Any thread."""
        return hit_that_passes(self._state, self._attributes, self._tree, self._writes, number, score, longest)


def hit_that_passes(
    state: ShardState,
    attributes: ProductAttributes,
    tree: Filter,
    writes: int,
    number: int,
    score: float,
    longest: int,
    listed: bool = False,
) -> Hit | None:
    """A row as a hit that passes the filter as it is shown, or None.

    `writes`: as the columns said before the filter was evaluated. While nothing
    was written since there is nothing to check: what was looked at is what the
    hit shows.
    """
    columns = attributes.columns
    hit = state.forward.hit(number, score, longest, listed)
    if hit is None or (writes >= 0 and columns.writes == writes):
        return hit
    return columns.at_one_moment(
        number,
        lambda: state.forward.hit(number, score, longest, listed) if columns.check(tree, number) else None,
    )
