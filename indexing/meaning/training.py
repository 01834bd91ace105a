"""A map learned from a shop's own titles and pictures, and measured on products that it was not learned from.

Closed form and seeded: the same lessons give the same map. From 10,000 pictures in minutes of one core.
"""

from __future__ import annotations

import logging
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from indexing.meaning.fitting import SHARPNESS, Fit, Known
from indexing.meaning.lessons import NO_TEXT, Lessons
from indexing.meaning.map import MeaningMap
from indexing.meaning.measures import Held, held_back, mean_of

logger = logging.getLogger(__name__)

MOST_PICTURES = 10_000
MOST_SUPPORT = 2_048
"""Texts of the shop that span the map, beside those that are known."""
FOLDS = 5
LEAST_GROUPS = 50
RIDGE = (0.1, 0.3, 1.0, 3.0)
"""What is tried, from trusting to wary."""
LEAST_GAIN = 2.0
LEAST_ERRORS = 4.0
"""A map is used that finds a product's own picture by its title this many times as often as one learned from titles
that were dealt out anew, and by so many standard errors of the difference."""


@dataclass(frozen=True, slots=True)
class Learned:
    """A map, and what it is worth. `used`: it beats chance clearly; if not, `why` says so."""

    map: MeaningMap
    used: bool
    why: str
    held: Held
    by_chance: Held
    settings: dict[str, float]


def train_map(
    given: Lessons,
    text_encoder_id: str,
    extractor_id: str,
    seed: int,
    known: Known | None = None,
    most_support: int = MOST_SUPPORT,
) -> Learned:
    """Chooses the ridge by cross-validation, all pictures of a group in one fold, then learns from all.

    Raises `ValueError` where no picture has a text.
    """
    random = np.random.default_rng(seed)
    given = _sample(given, random)
    folds = _folds(given.groups, random)
    plan = Fit(known, most_support, seed)
    tried = _cross_validated(given, folds, plan, RIDGE)
    ridge = min(tried, key=lambda ridge: tried[ridge].rank_share)
    held = tried[ridge]
    by_chance = _cross_validated(_dealt_anew(given, random), folds, plan, (ridge,), asked=given)[ridge]
    used, why = _worth(held, by_chance, len(np.unique(given.groups)))
    meaning = plan.fit(given, (ridge,))[0]
    logger.info("meaning learned used=%s recall_at_10=%.3f by_chance=%.3f", used, held.recall, by_chance.recall)
    return Learned(
        MeaningMap(text_encoder_id, extractor_id, meaning.sharpness, meaning.support, meaning.looks),
        used,
        why,
        held,
        by_chance,
        {
            "sharpness": SHARPNESS,
            "ridge": ridge,
            "pictures": len(given.pictures),
            "support": len(meaning.support),
            "known": 0 if known is None else len(known.texts),
            "seed": seed,
        },
    )


def _worth(held: Held, by_chance: Held, groups: int) -> tuple[bool, str]:
    if groups < LEAST_GROUPS:
        return False, f"{groups} products with a title and a picture; {LEAST_GROUPS} are needed"
    error = float(np.hypot(held.recall_error, by_chance.recall_error))
    if held.recall < LEAST_GAIN * by_chance.recall or held.recall - by_chance.recall < LEAST_ERRORS * error:
        return False, (
            f"recall@10 {held.recall:.3f} beside {by_chance.recall:.3f} by chance: titles say too little of the look"
        )
    return True, ""


def _sample(given: Lessons, random: np.random.Generator) -> Lessons:
    """Pictures that have a text, whole groups of them, as many as are learned from."""
    given = given.of((given.said != NO_TEXT).any(axis=1))
    if not len(given.pictures):
        raise ValueError("no picture has a text: there is nothing to learn from")
    if len(given.pictures) <= MOST_PICTURES:
        return given
    groups, number, sizes = np.unique(given.groups, return_inverse=True, return_counts=True)
    order = random.permutation(len(groups))
    kept = np.zeros(len(groups), np.bool_)
    kept[order[np.cumsum(sizes[order]) <= MOST_PICTURES]] = True
    return given.of(kept[number])


def _folds(groups: NDArray[np.int64], random: np.random.Generator) -> NDArray[np.intp]:
    known, number = np.unique(groups, return_inverse=True)
    return (random.permutation(len(known)) % FOLDS)[number]


def _dealt_anew(given: Lessons, random: np.random.Generator) -> Lessons:
    """The same texts, each group with those of another's picture."""
    known, first, number = np.unique(given.groups, return_index=True, return_inverse=True)
    return Lessons(given.texts, given.pictures, given.said[first[random.permutation(len(known))]][number], given.groups)


def _cross_validated(
    given: Lessons, folds: NDArray[np.intp], plan: Fit, ridges: tuple[float, ...], asked: Lessons | None = None
) -> dict[float, Held]:
    """By ridge: learned from `given` and asked with the titles of `asked`, on each fold after learning the others."""
    asked = given if asked is None else asked
    found: dict[float, list[Held]] = {ridge: [] for ridge in ridges}
    for fold in range(FOLDS):
        learned, tested = given.of(folds != fold), asked.of(folds == fold)
        if not len(learned.pictures) or not len(tested.pictures):
            continue
        for ridge, meaning in zip(ridges, plan.fit(learned, ridges), strict=True):
            found[ridge].append(held_back(meaning, tested, np.random.default_rng(fold)))
    return {ridge: mean_of(parts) for ridge, parts in found.items()}
