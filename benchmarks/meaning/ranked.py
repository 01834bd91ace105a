"""Lists of products by score, how they are fused, and how good the first ten are."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from indexing.words.index import WordIndex
from indexing.words.query import parse_words
from schemas.query.relevance import RANK_CONSTANT, bounded_words
from serving.blender.ranking.candidates import POOL

Scores = NDArray[np.float64]
"""By product; -inf where the list does not have it."""
NOWHERE = -np.inf
FIRST = 10


class Keywords:
    """The keyword list as the serving tier has it: all words, and any of them where no product has all."""

    def __init__(self, products: Sequence[Mapping[str, Any]]) -> None:
        fields = (("title", 2), ("brand", 2), ("category", 1), ("colour", 1))
        self._index = WordIndex.bulk(
            (number, [(weight, str(product.get(name, ""))) for name, weight in fields])
            for number, product in enumerate(products)
        )
        self._products = len(products)

    def scores(self, text: str) -> tuple[Scores, bool]:
        """(BM25, whether some product has all words)."""
        query = parse_words(text, self._index.language)
        found = self._index.search(query)
        has_all = bool(len(found.products))
        if not has_all:
            found = self._index.search(query, all_words=False)
        scores = np.full(self._products, NOWHERE)
        scores[found.products] = found.scores
        return scores, has_all


def of_pictures(scores: NDArray[np.floating[Any]], owners: NDArray[np.intp], products: int) -> Scores:
    """A product's best picture counts."""
    best = np.full(products, NOWHERE)
    np.maximum.at(best, owners, scores)
    return best


def by_ranks(lists: Sequence[tuple[Scores, float]]) -> Scores:
    """Reciprocal ranks of (scores, weight), each list as long as the serving tier asks for."""
    total = np.zeros(len(lists[0][0]))
    for scores, weight in lists:
        order = np.argsort(-scores, kind="stable")[:POOL]
        order = order[scores[order] > NOWHERE]
        total[order] += weight / (RANK_CONSTANT + 1.0 + np.arange(len(order)))
    return np.where(total > 0.0, total, NOWHERE)


def by_scores(lists: Sequence[tuple[Scores, float]]) -> Scores:
    """The weighted sum; what a list does not have, or below 0, counts 0."""
    total = sum(weight * np.maximum(np.where(scores > NOWHERE, scores, 0.0), 0.0) for scores, weight in lists)
    return np.asarray(total)


def bounded(scores: Scores) -> Scores:
    """BM25 in 0..1."""
    return np.array([bounded_words(float(score)) if score > NOWHERE else NOWHERE for score in scores])


def first(scores: Scores, count: int = FIRST) -> NDArray[np.intp]:
    """The best products that the list has."""
    order: NDArray[np.intp] = np.argsort(-scores, kind="stable")[:count]
    there: NDArray[np.intp] = order[scores[order] > NOWHERE]
    return there


def quality(scores: Scores, relevant: NDArray[np.bool_]) -> dict[str, float]:
    """Precision and recall of the first ten; recall of at most ten that there are."""
    hits = int(relevant[first(scores)].sum())
    return {"precision_at_10": hits / FIRST, "recall_at_10": hits / min(FIRST, int(relevant.sum()))}


def averaged(rows: Sequence[Mapping[str, float]]) -> dict[str, float]:
    """Means with their standard errors, and of how many."""
    figures: dict[str, float] = {}
    for name in rows[0]:
        values = np.array([row[name] for row in rows])
        figures[name] = float(values.mean())
        figures[f"{name}_error"] = float(values.std(ddof=1) / np.sqrt(len(values))) if len(values) > 1 else 0.0
    return figures | {"questions": len(rows)}


Way = Callable[[int], Scores]
"""From the number of a question to a list."""
