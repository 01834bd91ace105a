"""What simulated shoppers teach: a shop that declares one order, and whose shoppers want another."""

from __future__ import annotations

from benchmarks.load.shoppers import DECLARED, SimulatedShop
from indexing.ranking.lessons import Lessons
from jobs.search_report.lessons import LessonsOf
from schemas.query.rank import RankProfile

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
