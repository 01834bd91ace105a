"""The rows that pass a filter, and a scan of them alone.

A selective filter leaves few rows: those are compared one and all. A broad
one restricts the scan of the lists; since many of their entries do not count
then, more lists are probed, as many as hold together as many passing rows as
the index compares for a query without a filter. So recall does not depend on
the filter, also where what passes lies far from the query (filtered search by
the number of what passes is Qdrant's and Vespa's way as well; the lists'
coverage takes the place of a graph's).
"""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import NDArray

from indexing.rows.validity import selector_of
from indexing.shard.attributes import ProductAttributes
from indexing.shard.state import ShardState
from schemas.found import Hit
from schemas.query.filters import Filter

GATHERED = 512
"""Passing rows up to which their vectors are gathered; from there on a scan of all lists costs less."""
_SAMPLE = 4096
"""Passing rows by which the coverage of lists is estimated."""


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
        self._look()

    def _look(self) -> None:
        columns = self._attributes.columns
        self._writes = columns.writes
        self.mask: NDArray[np.bool_] = columns.mask(self._tree, len(columns), columns.searchable)
        self.count = int(np.count_nonzero(self.mask))

    def rows(self) -> NDArray[np.int64]:
        """Their numbers, ascending."""
        return np.flatnonzero(self.mask)

    def scan(self, queries: NDArray[np.float32], k: int) -> tuple[NDArray[np.float32], NDArray[np.int64]]:
        """As `InvertedLists.scan`, over these rows. From the second time on they are looked for anew, in all lists."""
        again = self._scans > 0
        self._scans += 1
        if again:
            self._look()
        lists = self._state.lists
        if self.count <= GATHERED:
            self.plan = f"{self.count} of {len(self.mask)} rows pass, all of them compared"
            return self._compared(queries, k)
        selector = selector_of(self.mask)
        probes = len(lists) if again else self._probes(queries, k)
        self.plan = f"{self.count} of {len(self.mask)} rows pass, {probes} of {len(lists)} lists scanned"
        scores, rows = lists.scan(queries, k, selector, probes)
        if probes < len(lists) and (rows[:, min(k, self.count) - 1] < 0).any():
            self.plan += ", then all"
            scores, rows = lists.scan(queries, k, selector, len(lists))
        return scores, rows

    def _probes(self, queries: NDArray[np.float32], k: int) -> int:
        lists = self._state.lists
        if lists.centroids is None:
            return len(lists)
        compared = self._nprobe / len(lists) * self._state.searchable
        wanted = max(compared, 4.0 * k) / self.count
        if wanted >= 1:
            return len(lists)
        rows = self.rows()
        sample = rows[:: 1 + len(rows) // _SAMPLE]
        return max(self._nprobe, lists.probes_for(queries, sample, math.ceil(wanted * len(sample))))

    def _compared(self, queries: NDArray[np.float32], k: int) -> tuple[NDArray[np.float32], NDArray[np.int64]]:
        scores = np.full((len(queries), k), -np.inf, dtype=np.float32)
        rows = np.full((len(queries), k), -1, dtype=np.int64)
        passing = self.rows()
        if len(passing):
            exact = queries @ self._state.lists.vectors(passing).T
            order = np.argsort(-exact, axis=1, kind="stable")[:, :k]
            scores[:, : order.shape[1]] = np.take_along_axis(exact, order, axis=1)
            rows[:, : order.shape[1]] = passing[order]
        return scores, rows

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
