"""How good an order is, by what was clicked: NDCG, of clicks freed from where they were shown.

A click counts by one over how likely its position was looked at (Joachims, Swaminathan and Schnabel, "Unbiased
learning-to-rank with biased feedback", WSDM 2017). Of an answer with one click that would cancel in its own NDCG, so
gains are added up over all answers before they are divided by the best there could be.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from indexing.ranking.lessons import Lessons

FIRST = 10


@dataclass(frozen=True, slots=True)
class Gained:
    """By answer: the discounted gain of an order among the first 10 (`dcg`), and the greatest possible (`best`)."""

    dcg: NDArray[np.float64]
    best: NDArray[np.float64]

    @property
    def ndcg(self) -> float:
        return float(self.dcg.sum() / self.best.sum())

    def beyond(self, other: Gained) -> tuple[float, float]:
        """(by how much this NDCG is greater, standard error of that), both of the same answers."""
        more = self.dcg - other.dcg
        by = float(more.sum() / self.best.sum())
        error = float(np.sqrt(((more - by * self.best) ** 2).sum()) / self.best.sum())
        return by, error


def gained(given: Lessons, gains: NDArray[np.float64], scores: NDArray[np.float64]) -> Gained:
    """Of every row its gain and its score; equal scores are in an order of chance, the same every time."""
    return Gained(_dcg(given, gains, scores), _dcg(given, gains, gains))


def by_chance(given: Lessons, gains: NDArray[np.float64]) -> Gained:
    """What the mean of all orders gains."""
    sizes = np.diff(given.starts)
    discounts = np.concatenate([[0.0], np.cumsum(1.0 / np.log2(np.arange(FIRST) + 2))])
    mean = np.add.reduceat(gains, given.starts[:-1]) / sizes
    return Gained(mean * discounts[np.minimum(sizes, FIRST)], _dcg(given, gains, gains))


def _dcg(given: Lessons, gains: NDArray[np.float64], scores: NDArray[np.float64]) -> NDArray[np.float64]:
    answers = given.answers
    chance = np.random.default_rng(0).permutation(len(scores))
    order = np.lexsort((chance, -scores, answers))
    ranks = np.arange(len(scores)) - given.starts[answers[order]]
    discounted = np.where(ranks < FIRST, gains[order] / np.log2(ranks + 2), 0.0)
    each: NDArray[np.float64] = np.add.reduceat(discounted, given.starts[:-1])
    return each
