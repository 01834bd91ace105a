"""How likely it is that a position is looked at at all, estimated from the log.

What stands first is clicked first, whatever it is. The position-based model says that a click is a product that was
looked at, which depends on its position alone, and that pleased, which depends on the product; both are found by
expectation and maximisation, with a regression for what pleases (Wang et al., "Position bias estimation for unbiased
learning to rank in personal search", WSDM 2018). The regression knows scores and figures and no ranks, which
are positions by another name.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from indexing.ranking.features import FEATURES
from indexing.ranking.lessons import Lessons

MOST_ROWS = 100_000
"""Rows that it is estimated from, of the answers first in their order."""
ROUNDS = 100
SINGLE = 20
"""Positions that have a number of their own; those after them share one by tens."""
LEAST = 0.1
"""No position is taken to be looked at more seldom than this, lest single clicks weigh more than ten of the first."""
_BUCKETS = 30
_BINS = 8
_RIDGE = 1.0
_STEPS = 2
_CERTAIN = 1e-4


@dataclass(frozen=True, slots=True)
class Propensity:
    """`looked_at` (30,): of each position, or ten of them, how often, next to the first; falls."""

    looked_at: NDArray[np.float64]

    def of(self, positions: NDArray[np.int64]) -> NDArray[np.float64]:
        """(n,): of each position, from 1."""
        return self.looked_at[_bucket(positions)]


def estimated(given: Lessons, seed: int) -> Propensity:
    """From answers whether anything of them was clicked or not."""
    wanted = min(len(given.days), max(1, MOST_ROWS * len(given.days) // max(1, len(given.rows))))
    chosen = np.zeros(len(given.days), np.bool_)
    chosen[np.random.default_rng(seed).permutation(len(given.days))[:wanted]] = True
    given = given.of(chosen)
    buckets = _bucket(given.positions)
    shown = np.bincount(buckets, minlength=_BUCKETS).astype(np.float64)
    clicks = (given.values > 0).astype(np.float64)
    looked_at = _falling(np.full(_BUCKETS, 0.5), shown)
    taste = _Taste(given.rows, min(0.5, 2.0 * float(clicks.mean())) if len(clicks) else 0.5)
    for _ in range(ROUNDS):
        seen, pleases = looked_at[buckets], taste.pleases()
        neither = 1.0 - seen * pleases
        looked = clicks + (1.0 - clicks) * seen * (1.0 - pleases) / neither
        pleased = clicks + (1.0 - clicks) * pleases * (1.0 - seen) / neither
        looked_at = _falling(np.bincount(buckets, looked, _BUCKETS) / np.maximum(shown, 1.0), shown)
        taste.learn(pleased)
    return Propensity(np.maximum(looked_at / looked_at[0], LEAST))


def _bucket(positions: NDArray[np.int64]) -> NDArray[np.int64]:
    single = positions - 1
    return np.where(single < SINGLE, single, np.minimum(SINGLE + (single - SINGLE) // 10, _BUCKETS - 1))


class _Taste:
    """What pleases, by an additive logistic regression on eighths of every feature that is no rank.

    A step's bend is a bound that holds everywhere (Boehning and Lindsay, "Monotonicity of quadratic-approximation
    algorithms", 1988), inverted once; what is left of a step are look-ups and sums.
    """

    def __init__(self, rows: NDArray[np.float32], chance: float) -> None:
        self._columns: list[NDArray[np.intp]] = []
        count = 1  # the constant's
        for number, name in enumerate(FEATURES):
            values = rows[:, number]
            known = values[values > 0]
            if name.endswith("_rank") or not len(known):
                continue
            edges = np.unique(np.quantile(known, np.arange(_BINS) / _BINS))
            # One more where there is none.
            self._columns.append(count + np.searchsorted(edges, values, side="right"))
            count += len(edges) + 1
        self._columns.append(np.zeros(len(rows), np.intp))
        self._weights = np.zeros(count)
        self._weights[0] = np.log(chance / (1.0 - chance)) if chance else 0.0
        together = np.zeros((count, count))
        for left in self._columns:
            for right in self._columns:
                together += np.bincount(left * count + right, minlength=count * count).reshape(count, count)
        self._step = np.linalg.inv(together / 4.0 + _RIDGE * np.eye(count))

    def pleases(self) -> NDArray[np.float64]:
        """(n,): how likely each row pleases."""
        odds = np.zeros(len(self._columns[0]))
        for column in self._columns:
            odds += self._weights[column]
        return _certain(1.0 / (1.0 + np.exp(-odds)))

    def learn(self, pleased: NDArray[np.float64]) -> None:
        """Some steps towards what these chances say."""
        for _ in range(_STEPS):
            missing = pleased - self.pleases()
            slope = -_RIDGE * self._weights
            for column in self._columns:
                slope += np.bincount(column, missing, len(slope))
            self._weights = self._weights + (self._step * slope).sum(axis=1)


def _certain(chances: NDArray[np.float64]) -> NDArray[np.float64]:
    return np.clip(chances, _CERTAIN, 1.0 - _CERTAIN)


def _falling(values: NDArray[np.float64], shown: NDArray[np.float64]) -> NDArray[np.float64]:
    """The nearest numbers that never rise from one position to the next (pool adjacent violators), 0..1."""
    pools: list[list[float]] = []  # sum, weight, length
    for value, weight in zip(values, shown, strict=True):
        pools.append([value * weight, weight, 1])
        while len(pools) > 1 and pools[-2][0] * pools[-1][1] <= pools[-1][0] * pools[-2][1]:
            last = pools.pop()
            pools[-1] = [one + other for one, other in zip(pools[-1], last, strict=True)]
    means = [total / weight if weight else 0.0 for total, weight, _ in pools]
    smoothed = np.repeat(means, [int(length) for _, _, length in pools])
    return _certain(smoothed)
