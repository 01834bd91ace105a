"""The learned order: scores of candidates by a model, in one scale with what it says nothing of."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from indexing.ranking.features import FEATURES, PRAISE, PRICE, SALES, Row, matrix, row
from indexing.ranking.model import RankModel
from schemas.query.fields import Values
from schemas.query.rank import figure_in
from serving.blender.ranking.explain import LearnedScore
from serving.blender.ranking.fusion import Fit


def learned_scores(model: RankModel, products: Sequence[tuple[Fit, Values]]) -> list[float]:
    """Of each product: from 1 to 2 in the model's order, where it fits as well as what that was learned from.

    Others are from 0 to 1 by relevance: of what fits less than anything that was ever shown, clicks say nothing, and a
    model would lift what is cheap and popular from far below.
    """
    if not products:
        return []
    rows = matrix([_row(fit, values) for fit, values in products])
    by_fit = np.array([fit.relevance for fit, _ in products], np.float64)
    raw = model.raw(rows)
    scores: list[float] = np.where(model.within(rows), 1.0 + _squeezed(raw), _squeezed(by_fit)).tolist()
    return scores


def learned_score(model: RankModel, fit: Fit, values: Values) -> LearnedScore:
    """What that order made of one product, for who asks."""
    rows = matrix([_row(fit, values)])
    return LearnedScore(
        raw=float(model.raw(rows)[0]),
        within=bool(model.within(rows)[0]),
        features=dict(zip(FEATURES, rows[0].tolist(), strict=True)),
    )


def _row(fit: Fit, values: Values) -> Row:
    price, sales, praise = figure_in(values, PRICE), figure_in(values, SALES), figure_in(values, PRAISE)
    return row(fit.look, fit.words, fit.meaning, price, sales, praise)


def _squeezed(values: np.ndarray[tuple[int], np.dtype[np.float64]]) -> np.ndarray[tuple[int], np.dtype[np.float64]]:
    """Any number in 0..1, in the same order."""
    return 0.5 + 0.5 * values / (1.0 + np.abs(values))
