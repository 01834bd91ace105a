"""Diversity: a page that is not all of one brand, and not all of one look.

Maximal marginal relevance is of Carbonell and Goldstein, "The use of MMR,
diversity-based reranking for reordering documents and producing summaries"
(SIGIR 1998).
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Sequence

import numpy as np
from numpy.typing import NDArray

Groups = Sequence[str | None]
"""A product's value of each limited field; None: it has none, and is not limited there."""


class Quotas:
    """How many of one value of a field a page may still take. `limits`: of each field, in the order of `Groups`."""

    def __init__(self, limits: Sequence[int]) -> None:
        self._limits = limits
        self._taken: list[Counter[str]] = [Counter() for _ in limits]

    def take(self, groups: Groups) -> bool:
        """Takes one of these values, unless a field has as many of its value as it may."""
        counted = [
            (taken, limit, group)
            for taken, limit, group in zip(self._taken, self._limits, groups, strict=True)
            if group is not None
        ]
        if any(taken[group] >= limit for taken, limit, group in counted):
            return False
        for taken, _, group in counted:
            taken[group] += 1
        return True


def first_allowed(count: int, wanted: int, admits: Callable[[int], bool]) -> list[int]:
    """Of 0..count-1, which are in order, best first: the first `wanted` that are admitted."""
    chosen: list[int] = []
    for position in range(count):
        if len(chosen) >= wanted:
            break
        if admits(position):
            chosen.append(position)
    return chosen


def by_marginal_relevance(
    scores: NDArray[np.float64],
    vectors: NDArray[np.float32],
    balance: float,
    wanted: int,
    admits: Callable[[int], bool],
) -> list[int]:
    """Up to `wanted` positions in the order in which they are chosen.

    Each is the one with the greatest balance * relevance - (1 - balance) * likeness to the most alike of those chosen
    before; the first is the most relevant. `scores` (n,), best first, whose range is taken for 0..1; `vectors` (n, d)
    of length 1, or zero where there is none, which is like nothing. Equal ones are taken in the order of `scores`. A
    position that is not admitted is passed by and makes nothing less welcome.
    """
    count = len(scores)
    if not count:
        return []
    spread = scores[0] - scores[-1]
    relevance = balance * ((scores - scores[-1]) / spread if spread > 0 else np.ones(count))
    nearest = np.full(count, -np.inf)
    left = np.ones(count, dtype=bool)
    gains = relevance.copy()
    chosen: list[int] = []
    while len(chosen) < wanted and len(chosen) < count:
        best = int(np.argmax(gains))
        if not left[best]:
            break
        left[best] = False
        gains[best] = -np.inf
        if not admits(best):
            continue
        chosen.append(best)
        # Not by BLAS, whose threads wait for each other: on a busy machine that takes fifty times as long.
        np.maximum(nearest, np.einsum("ij,j->i", vectors, vectors[best]), out=nearest)
        gains = np.where(left, relevance - (1.0 - balance) * nearest, -np.inf)
    return chosen
