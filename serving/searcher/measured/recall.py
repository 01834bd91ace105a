"""Recall of live queries: a sample of them is answered exactly as well, and what is looked through follows it.

Queries' threads offer, one other thread measures. What a query pays is one
random number, and a copy of its vector where that is in the sample.
Those with a filter are told apart: what they look through follows rules of
their own (`indexing/shard/passing.py`), and would hide what the others miss.
"""

from __future__ import annotations

import logging
import math
import random
import time
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from indexing.shard.shard import Shard
from schemas.query.filters import Filter

log = logging.getLogger(__name__)

WINDOW_S = 3600.0
MOST_KEPT = 10_000
MOST_WAITING = 16
"""Of the sample; what comes while so many wait for their turn is not measured."""
MEASURED_BETWEEN = 100
"""Queries that are measured before what is looked through is changed, and again after it was."""
STEP = 1.25
LEAST_EFFORT, MOST_EFFORT = 0.5, 4.0
_ERRORS = 2.0


@dataclass(frozen=True, slots=True)
class RecallFigures:
    """Of the last hour. `spread`: the standard deviation of a query's recall @10 about `mean`."""

    queries: int = 0
    mean: float = 0.0
    spread: float = 0.0

    @property
    def error(self) -> float:
        """Standard error of the mean."""
        return self.spread / self.queries**0.5 if self.queries else 0.0


class Tally:
    """Recalls that come and go, and their figures at every moment."""

    def __init__(self) -> None:
        self._count, self._sum, self._squares = 0, 0.0, 0.0

    def add(self, recall: float, times: int = 1) -> None:
        """`times` -1 takes one away that was added."""
        self._count += times
        self._sum += times * recall
        self._squares += times * recall * recall

    @property
    def figures(self) -> RecallFigures:
        if not self._count:
            return RecallFigures()
        mean = min(1.0, self._sum / self._count)
        return RecallFigures(self._count, mean, math.sqrt(max(0.0, self._squares / self._count - mean * mean)))


class Hour:
    """Recalls of the last hour. Of one thread, but for `figures`, which any may read."""

    def __init__(self) -> None:
        self._known: deque[tuple[float, float]] = deque()
        self._tally = Tally()
        self.figures = RecallFigures()

    def add(self, now: float, recall: float) -> None:
        self._known.append((now, recall))
        self._tally.add(recall)
        self.figures = self._tally.figures

    def forget(self, now: float) -> None:
        """What was measured over an hour ago, and what is too much to keep."""
        while self._known and (self._known[0][0] < now - WINDOW_S or len(self._known) >= MOST_KEPT):
            self._tally.add(self._known.popleft()[1], -1)
        self.figures = self._tally.figures


@dataclass(frozen=True, slots=True)
class _Sampled:
    """`vectors`: (1, dimension). `tree`: the filter, if any."""

    vectors: NDArray[np.float32]
    limit: int
    tree: Filter | None


def followed(effort: float, figures: RecallFigures, wanted: float) -> float:
    """The effort after so much was measured with this one: more where the recall is surely below what is wanted.

    Less where it surely is nearer to 1 than to what is wanted, so that one step back does not bring it below.
    """
    if figures.mean + _ERRORS * figures.error < wanted:
        return min(MOST_EFFORT, effort * STEP)
    if figures.mean - _ERRORS * figures.error > (1 + wanted) / 2:
        return max(LEAST_EFFORT, effort / STEP)
    return effort


class LiveRecall:
    """Of one index. `offer` is for any thread, `measure` for one, `figures` for any.

    `share`: of the queries that are in the sample, 0 for none; `wanted`: the recall that the effort follows.
    """

    def __init__(
        self,
        share: float,
        wanted: float,
        labels: str,
        *,
        chance: Callable[[], float] = random.random,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._share = share
        self._wanted = wanted
        self._labels = labels
        self._chance = chance
        self._clock = clock
        self._waiting: deque[_Sampled] = deque(maxlen=MOST_WAITING)
        self._plain, self._filtered, self._since = Hour(), Hour(), Tally()
        self._training: object = None

    @property
    def figures(self) -> RecallFigures:
        """Of the last hour's queries without a filter."""
        return self._plain.figures

    @property
    def filtered(self) -> RecallFigures:
        """Of those with one."""
        return self._filtered.figures

    def offer(self, vectors: NDArray[np.float32], limit: int, tree: Filter | None = None) -> None:
        """A query that was answered, among the rows that pass `tree`. Its first vector stands for all of them."""
        if self._share and self._chance() < self._share:
            self._waiting.append(_Sampled(vectors[:1].copy(), limit, tree))

    def measure(self, shard: Shard) -> bool:
        """Measures the query that has waited longest; False: none does."""
        now = self._clock()
        for hour in (self._plain, self._filtered):
            hour.forget(now)
        try:
            query = self._waiting.popleft()
        except IndexError:
            return False
        if shard.training is not self._training:  # other lists, of which nothing is known yet
            self._training, self._since = shard.training, Tally()
        for recall in shard.recalls(query.vectors, query.limit, query.tree):
            if query.tree is None:
                self._plain.add(now, recall)
                self._since.add(recall)
            else:
                self._filtered.add(now, recall)
        if self._since.figures.queries >= MEASURED_BETWEEN:
            self._follow(shard)
        return True

    def _follow(self, shard: Shard) -> None:
        figures, self._since = self._since.figures, Tally()
        before = shard.effort
        after = followed(before, figures, self._wanted)
        if after != before and shard.stats().index_kind != "exact":
            shard.effort = after
            log.info(
                "event=effort_changed %s recall=%.4f wanted=%.4f effort=%.2f nprobe=%d",
                self._labels, figures.mean, self._wanted, after, shard.stats().nprobe,
            )  # fmt: skip
