"""Relevance: how well a product fits, from where it stands by look and by words. One rule for who ranks and who learns.

Reciprocal ranks (Cormack, Clarke and Buettcher, "Reciprocal rank fusion
outperforms Condorcet and individual rank learning methods", SIGIR 2009) need
no common scale of the lists' scores; the linear combination uses the scores,
so that a list that is sure of itself counts more.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from schemas.query.body import Weights

RANK_CONSTANT = 60
"""k of Cormack et al.: how little the first ranks differ."""
WORDS_HALF = 5.0
"""The BM25 score that counts half, as BM25 has no greatest one."""


@dataclass(frozen=True, slots=True)
class Rung:
    """A product in one list: its score there, and its rank from 1."""

    score: float
    rank: int


def relevance(
    look: Rung | None,
    words: Rung | None,
    weights: Weights,
    fusion: Literal["rrf", "linear"],
    *,
    by_look: bool,
    by_words: bool,
    bounded: bool,
) -> float:
    """How well a product fits. `look`, `words`: None where it is not in that list.

    `by_look`, `by_words`: which lists were asked for; of one alone its scores are taken. `bounded`: relevance is to
    be weighed against measures, so that a BM25 score alone is brought below 1; else it is as it is. A cosine alone is
    taken as it is, below 0 too. Of both lists, rrf gives 0..1, where 1 is the first of both, and linear the weighted
    sum of the cosine (0 where it is below) and of the words in 0..1.
    """
    if not by_words:
        return 0.0 if look is None else look.score
    if not by_look:
        score = 0.0 if words is None else words.score
        return bounded_words(score) if bounded else score
    if fusion == "rrf":
        total = weights.look * reciprocal_rank(look) + weights.words * reciprocal_rank(words)
        return total / (weights.look + weights.words)
    return weights.look * bounded_look(look) + weights.words * (0.0 if words is None else bounded_words(words.score))


def reciprocal_rank(rung: Rung | None) -> float:
    """0..1, 1 of the first; 0 of what is not in the list."""
    return 0.0 if rung is None else (RANK_CONSTANT + 1) / (RANK_CONSTANT + rung.rank)


def bounded_look(rung: Rung | None) -> float:
    """A cosine in 0..1; 0 where it is below, and of what is not in the list."""
    return 0.0 if rung is None else max(0.0, rung.score)


def bounded_words(score: float) -> float:
    """A BM25 score in 0..1."""
    score = max(0.0, score)
    return score / (score + WORDS_HALF)
