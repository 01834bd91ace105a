"""An order learned from clicks, and compared on later days with the orders that a shop declared.

Seeded, one thread: the same lessons give the same model. Bounded: so many rows, so many trees.
"""

from __future__ import annotations

import logging
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from indexing.ranking.features import FIT
from indexing.ranking.growing import RATE, TREES, grow
from indexing.ranking.lessons import Lessons
from indexing.ranking.measures import Gained, by_chance, gained
from indexing.ranking.model import RankModel
from indexing.ranking.propensity import Propensity, estimated

logger = logging.getLogger(__name__)

HELD_BACK = 5
"""One in so many days, the last ones, is not learned from."""
LEAST_CLICKED = 500
"""Answers with a click to learn from, at least."""
LEAST_HELD = 100
"""Answers with a click to compare by, at least."""
MOST_ROWS = 500_000
"""Rows to learn from: ten seconds of one core."""
LEAST_GAIN = 0.01
LEAST_ERRORS = 3.0
"""A model is used whose NDCG@10 is by this much greater than that of the best declared order, and by so many standard
errors of the difference."""
SHOWN = "as_shown"
"""The order of the log itself, which the declared weights of those days made."""
_LEAST_SHARE = 0.01
"""Of the fits that were shown, so many may be below what counts as seen."""


@dataclass(frozen=True, slots=True)
class Learned:
    """A model, and what it is worth. `used`: it beats what was declared; if not, `why` says so.

    `held`: NDCG@10 on days held back, its standard error beyond the best
    declared order, and those of every declared order. `by_chance`: of any order.
    """

    model: RankModel
    used: bool
    why: str
    held: dict[str, float]
    by_chance: dict[str, float]
    settings: dict[str, float]


def too_few(given: Lessons) -> str:
    """Why these are no lessons; "" where they are."""
    learning, held = _divided(given)
    if not held.any():
        return "clicks of two days at least are needed, one to learn from and one to compare by"
    clicked = given.clicked
    of_both = int((clicked & learning).sum()), int((clicked & held).sum())
    if of_both[0] < LEAST_CLICKED or of_both[1] < LEAST_HELD:
        return (
            f"{of_both[0]} answers with a click to learn from and {of_both[1]} to compare by; "
            f"{LEAST_CLICKED} and {LEAST_HELD} are needed"
        )
    return ""


def train_model(given: Lessons, seed: int, looked_at: Propensity | None = None, most_rows: int = MOST_ROWS) -> Learned:
    """`looked_at`: where it is known; None: it is estimated from the lessons.

    Raises `ValueError` for lessons that are `too_few`, `OperatorError` where LightGBM cannot be loaded."""
    if problem := too_few(given):
        raise ValueError(problem)
    learning, held = _divided(given)
    looked_at = looked_at or estimated(given.of(learning), seed)
    model = _grown(given.of(learning & given.clicked), looked_at, seed, most_rows)
    tested = given.of(held & given.clicked)
    gains = tested.values / looked_at.of(tested.positions)
    mine = gained(tested, gains, model.raw(tested.rows))
    declared = {name: gained(tested, gains, scores) for name, scores in tested.declared.items()}
    declared[SHOWN] = gained(tested, gains, -tested.positions.astype(np.float64))
    best = max(declared, key=lambda name: declared[name].ndcg)
    by, error = mine.beyond(declared[best])
    used, why = _worth(mine, declared[best], best)
    chance = by_chance(tested, gains)
    logger.info("order learned used=%s ndcg_at_10=%.3f best_declared=%s", used, mine.ndcg, best)
    return Learned(
        model,
        used,
        why,
        {
            "ndcg_at_10": mine.ndcg,
            "beyond_declared": by,
            "beyond_declared_error": error,
            **{f"ndcg_at_10_{name}": each.ndcg for name, each in sorted(declared.items())},
            "answers": len(tested.days),
            "days": len(np.unique(tested.days)),
        },
        {"ndcg_at_10": chance.ndcg},
        {
            "trees": TREES,
            "rate": RATE,
            "answers": int((learning & given.clicked).sum()),
            "days": len(np.unique(given.days[learning])),
            "looked_at_5": float(looked_at.of(np.array([5]))[0]),
            "looked_at_10": float(looked_at.of(np.array([10]))[0]),
            "seed": seed,
        },
    )


def _worth(mine: Gained, declared: Gained, name: str) -> tuple[bool, str]:
    by, error = mine.beyond(declared)
    if by < max(LEAST_GAIN, LEAST_ERRORS * error):
        return False, (
            f"NDCG@10 {mine.ndcg:.3f} beside {declared.ndcg:.3f} of {name} on the days held back: "
            f"not better by {max(LEAST_GAIN, LEAST_ERRORS * error):.3f}"
        )
    return True, ""


def _divided(given: Lessons) -> tuple[NDArray[np.bool_], NDArray[np.bool_]]:
    """Answers to learn from, and those of the last days, held back. Days are those with a click."""
    days = np.unique(given.days[given.clicked])
    held = days[-max(1, len(days) // HELD_BACK) :] if len(days) > 1 else days[:0]
    back = given.days >= held[0] if len(held) else np.zeros(len(given.days), np.bool_)
    return ~back, back


def _grown(given: Lessons, looked_at: Propensity, seed: int, most_rows: int) -> RankModel:
    """A group of rows for every click: the product that was clicked, and those beside it that were not.

    So that each pair counts by its own click (Joachims et al.). Where there are too many rows, later answers are taken.
    """
    parts: list[NDArray[np.intp]] = []
    weights: list[float] = []
    total = 0
    gains = given.values / looked_at.of(given.positions)
    for answer in range(len(given.days) - 1, -1, -1):
        begin, end = given.starts[answer], given.starts[answer + 1]
        values = given.values[begin:end]
        others = begin + np.flatnonzero(values == 0)
        for clicked in begin + np.flatnonzero(values > 0):
            if len(others) and total + len(others) + 1 <= most_rows:
                parts.append(np.concatenate([[clicked], others]))
                weights.append(gains[clicked])
                total += len(others) + 1
    sizes = np.array([len(part) for part in parts], np.intp)
    chosen = np.concatenate(parts) if parts else np.zeros(0, np.intp)
    labels = np.zeros(len(chosen), np.int8)
    labels[np.concatenate([[0], np.cumsum(sizes)[:-1]])] = 1
    return grow(given.rows[chosen], labels, np.repeat(weights, sizes), sizes, _least(given.rows), seed)


def _least(rows: NDArray[np.float32]) -> NDArray[np.float64]:
    """Of each feature of fit what nearly all that was shown had; infinite where none had it."""
    least = np.full(len(FIT), np.inf)
    for number in range(len(FIT)):
        known = rows[:, number][rows[:, number] > 0]
        if len(known):
            least[number] = np.quantile(known, _LEAST_SHARE, method="lower")
    return least
