"""Fusion: how well a product fits, from where it stands by look, by words and by their meaning.

Reciprocal ranks (Cormack, Clarke and Buettcher, "Reciprocal rank fusion
outperforms Condorcet and individual rank learning methods", SIGIR 2009) need
no common scale of the lists' scores; the linear combination uses the scores,
so that a list that is sure of itself counts more.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

from schemas.query.body import Weights

RANK_CONSTANT = 60
"""k of Cormack et al.: how little the first ranks differ."""
WORDS_HALF = 5.0
"""The BM25 score that counts half, as BM25 has no greatest one."""

Scored = Sequence[tuple[str, float]]
"""Product ids and scores, best first, each product once."""


@dataclass(frozen=True, slots=True)
class Rung:
    """A product in one list: its score there, and its rank from 1."""

    score: float
    rank: int


@dataclass(frozen=True, slots=True)
class Fit:
    """How well a product fits, see `fuse`. `look`, `words`, `meaning`: None where it is not in that list."""

    relevance: float
    look: Rung | None
    words: Rung | None
    meaning: Rung | None = None


NO_FIT = Fit(0.0, None, None)
"""Of a product that was not searched for but only filtered."""


def fuse(
    look: Scored | None,
    words: Scored | None,
    weights: Weights,
    fusion: Literal["rrf", "linear"],
    *,
    bounded: bool = False,
    meaning: Scored | None = None,
) -> dict[str, Fit]:
    """How every product of either list fits. None: that list was not asked for, and the other's scores are taken.

    `bounded`: relevance is to be weighed against measures, so that a BM25 score alone is brought below 1; else it is
    shown as it is. A cosine alone is taken as it is, below 0 too. Of both lists, rrf gives 0..1, where 1 is the first
    of both, and linear the weighted sum of the cosine (0 where it is below) and of the words in 0..1. Lists must be
    whole, without regard to what was shown on the pages before, lest ranks change from page to page.

    `meaning`: of words alone, no product having all of them; its scores are added, whichever fusion (docs/adr/0036).
    """
    if meaning is not None:
        return _with_meaning(_rungs(words), _rungs(meaning), weights)
    by_look, by_words = _rungs(look), _rungs(words)
    fits: dict[str, Fit] = {}
    for product in by_look | by_words:
        seen, read = by_look.get(product), by_words.get(product)
        if words is None:
            relevance = 0.0 if seen is None else seen.score
        elif look is None:
            score = 0.0 if read is None else read.score
            relevance = bounded_words(score) if bounded else score
        elif fusion == "rrf":
            relevance = _by_ranks(seen, read, weights)
        else:
            relevance = _by_scores(seen, read, weights)
        fits[product] = Fit(relevance, seen, read)
    return fits


def bounded_words(score: float) -> float:
    """A BM25 score in 0..1."""
    score = max(0.0, score)
    return score / (score + WORDS_HALF)


def _rungs(scored: Scored | None) -> dict[str, Rung]:
    return {product: Rung(score, rank) for rank, (product, score) in enumerate(scored or (), start=1)}


def _with_meaning(words: dict[str, Rung], meaning: dict[str, Rung], weights: Weights) -> dict[str, Fit]:
    """What fits less than the mean picture does, and has none of the words, is left out."""
    fits: dict[str, Fit] = {}
    for product in words | meaning:
        read, meant = words.get(product), meaning.get(product)
        by_meaning = 0.0 if meant is None else max(0.0, meant.score)
        if read is None and by_meaning == 0.0:
            continue
        by_words = 0.0 if read is None else bounded_words(read.score)
        fits[product] = Fit(weights.words * by_words + weights.meaning * by_meaning, None, read, meant)
    return fits


def _by_ranks(look: Rung | None, words: Rung | None, weights: Weights) -> float:
    total = 0.0
    for rung, weight in ((look, weights.look), (words, weights.words)):
        if rung is not None:
            total += weight * (RANK_CONSTANT + 1) / (RANK_CONSTANT + rung.rank)
    return total / (weights.look + weights.words)


def _by_scores(look: Rung | None, words: Rung | None, weights: Weights) -> float:
    by_look = 0.0 if look is None else max(0.0, look.score)
    by_words = 0.0 if words is None else bounded_words(words.score)
    return weights.look * by_look + weights.words * by_words
