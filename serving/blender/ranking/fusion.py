"""Fusion: from the lists by look, by words and by their meaning to how well every product of them fits."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

from schemas.query.body import Weights
from schemas.query.relevance import Rung, bounded_look, bounded_words, relevance

Scored = Sequence[tuple[str, float]]
"""Product ids and scores, best first, each product once."""


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
    """How every product of either list fits (`schemas.query.relevance`). None: that list was not asked for.

    Lists must be whole, without regard to what was shown on the pages before, lest ranks change from page to page.
    `meaning`: of words alone, no product having all of them; its scores are added, whichever fusion (docs/adr/0036).
    """
    if meaning is not None:
        return _with_meaning(_rungs(words), _rungs(meaning), weights)
    by_look, by_words = _rungs(look), _rungs(words)
    fits: dict[str, Fit] = {}
    for product in by_look | by_words:
        seen, read = by_look.get(product), by_words.get(product)
        fits[product] = Fit(
            relevance(
                *(seen, read, weights, fusion),
                by_look=look is not None,
                by_words=words is not None,
                bounded=bounded,
            ),
            seen,
            read,
        )
    return fits


def _rungs(scored: Scored | None) -> dict[str, Rung]:
    return {product: Rung(score, rank) for rank, (product, score) in enumerate(scored or (), start=1)}


def _with_meaning(words: dict[str, Rung], meaning: dict[str, Rung], weights: Weights) -> dict[str, Fit]:
    """What fits less than the mean picture does, and has none of the words, is left out."""
    fits: dict[str, Fit] = {}
    for product in words | meaning:
        read, meant = words.get(product), meaning.get(product)
        by_meaning = bounded_look(meant)
        if read is None and by_meaning == 0.0:
            continue
        by_words = 0.0 if read is None else bounded_words(read.score)
        fits[product] = Fit(weights.words * by_words + weights.meaning * by_meaning, None, read, meant)
    return fits
