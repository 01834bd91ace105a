"""How well a map finds a product's own picture by its title, among pictures of products it was not learned from."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from indexing.meaning.lessons import NO_TEXT, Lessons
from indexing.meaning.map import MeaningMap

FIRST = 10
MOST_AMONG = 1_000
"""Pictures that one is looked for among: a share of hits says nothing without their number."""


@dataclass(frozen=True, slots=True)
class Held:
    """recall: share of titles whose own picture is among the first 10, and its standard error over groups.
    median_rank: from 1. rank_share: mean rank as a share of all, 0.5 by chance. among: pictures, titles: asked."""

    recall: float
    recall_error: float
    median_rank: float
    rank_share: float
    among: int
    titles: int

    def figures(self) -> dict[str, float]:
        """By name, as a generation keeps them."""
        return {
            "recall_at_10": self.recall,
            "recall_at_10_error": self.recall_error,
            "median_rank": self.median_rank,
            "mean_rank_share": self.rank_share,
            "among": self.among,
            "titles": self.titles,
        }


def held_back(meaning: MeaningMap, given: Lessons, random: np.random.Generator) -> Held:
    """Each picture has a text. Of products with several pictures the best counts."""
    if len(given.pictures) > MOST_AMONG:
        given = given.of(np.sort(random.permutation(len(given.pictures))[:MOST_AMONG]))
    # A product without a title is asked for by the first text that it has.
    has = given.said != NO_TEXT
    asking = np.flatnonzero(has.any(axis=1))
    _, firsts = np.unique(given.groups[asking], return_index=True)
    asking = asking[firsts]
    texts = given.said[asking, has[asking].argmax(axis=1)]
    scores = meaning.apply(given.texts[texts]) @ given.pictures.T
    own = given.groups[asking][:, None] == given.groups[None, :]
    best = np.where(own, scores, -np.inf).max(axis=1)
    # Ties are counted half, lest a map that says the same of everything wins.
    other = np.where(own, -np.inf, scores)
    ranks = 1.0 + (other > best[:, None]).sum(axis=1) + 0.5 * (other == best[:, None]).sum(axis=1)
    hits = ranks <= FIRST
    return Held(
        float(hits.mean()),
        float(hits.std() / np.sqrt(len(hits))),
        float(np.median(ranks)),
        float(((ranks - 0.5) / ((~own).sum(axis=1) + 1)).mean()),
        len(given.pictures),
        len(asking),
    )


def mean_of(parts: Sequence[Held]) -> Held:
    """Over folds. Raises `ValueError` without any."""
    if not parts:
        raise ValueError("no picture has a text that it can be asked for by")
    titles: NDArray[np.float64] = np.array([part.titles for part in parts], np.float64)
    share = titles / titles.sum()

    def mean(name: str) -> float:
        return float(share @ np.array([getattr(part, name) for part in parts]))

    error = float(np.sqrt(((share * np.array([part.recall_error for part in parts])) ** 2).sum()))
    among = round(mean("among"))
    return Held(mean("recall"), error, mean("median_rank"), mean("rank_share"), among, int(titles.sum()))
