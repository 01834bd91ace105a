"""What simulated shoppers teach: a shop that declares one order, and whose shoppers want another."""

from __future__ import annotations

import numpy as np

from benchmarks.load.shoppers import DECLARED, SimulatedShop
from indexing.ranking.features import FEATURES, FEATURES_ID
from indexing.ranking.lessons import Lessons
from indexing.ranking.model import LEAVES, RankModel, Splits
from schemas.query.rank import RankProfile
from search_report.lessons import LessonsOf

POOL = 80
"""Candidates of a question: the ranking of 400 takes most of a simulation's time."""


def simulated(seed: int = 1, taste: float = 1.0) -> SimulatedShop:
    return SimulatedShop(seed, products=400, taste=taste, pool=POOL)


def taught(shop: SimulatedShop, days: int, answers: int, rank: RankProfile | None = DECLARED["popular"]) -> Lessons:
    """So many days of so many answers."""
    lessons = LessonsOf(DECLARED)
    for day in range(days):
        for search, clicks in shop.day(day, answers, rank):
            lessons.add(search, clicks)
    return lessons.lessons()


def cheapest_first(prices: list[float], least_look: float = 0.0) -> RankModel:
    """A model of a tree for each of these prices, which is worth 1 to whatever costs no more.

    `least_look`: what is less alike is outside of what it was learned from.
    """
    thresholds = np.array([price / (price + 50.0) for price in prices]) + 1e-6
    leaves = np.zeros((len(prices), LEAVES))
    leaves[:, 0] = 1.0
    splits = Splits(
        np.full(len(prices), FEATURES.index("price"), np.uint8),
        np.arange(len(prices), dtype=np.uint16),
        thresholds,
        np.full(len(prices), 0xFFFF & ~1, np.uint16),
    )
    return RankModel(FEATURES_ID, splits, leaves, np.array([least_look, np.inf, 0.0, 0.0, 0.0]))
