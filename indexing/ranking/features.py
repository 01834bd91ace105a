"""What a learned order knows of a product and a question: numbers from 0 to 1, made by the rules of rank profiles.

The one place that makes them, for learning from the log and for ranking alike: a model that is asked in other
numbers than it was taught in is wrong without a sign.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from schemas.query.fields import BUILT_IN, MEASURES, Field
from schemas.query.rank import Measure, normalised
from schemas.query.relevance import Rung, bounded_look, bounded_words, reciprocal_rank

FIT = ("look", "look_rank", "words", "words_rank", "meaning")
"""How well it fits: the score and the reciprocal rank of each list. More of it is never worse."""
FEATURES = (*FIT, *MEASURES)
"""Names of a row's numbers. A change here is another `FEATURES_ID`."""
FEATURES_ID = "fit5-measures3-1"
"""Names the rule by which rows are made; a model of another one is left alone."""

MEASURED: dict[str, tuple[Field, Measure]] = {
    field.name: (field, measure)
    for field, measure in zip(
        [next(field for field in BUILT_IN if field.name == name) for name in MEASURES],
        [Measure(1.0, 50.0), Measure(1.0, 500.0), Measure(1.0)],
        strict=True,
    )
}
"""How price, sales and praise count. Trees compare with thresholds, so that another half would learn the same."""

PRICE, SALES, PRAISE = (field for field, _ in MEASURED.values())
_PRICE, _SALES, _PRAISE = (measure for _, measure in MEASURED.values())

Row = tuple[float, ...]


def row(look: Rung | None, words: Rung | None, meaning: Rung | None, price: float, sales: float, praise: float) -> Row:
    """In the order of `FEATURES`, each 0..1 and 0 where there is none. NaN: a number that is not known.

    Written out, as it is called for each of 400 candidates.
    """
    return (
        bounded_look(look),
        reciprocal_rank(look),
        0.0 if words is None else bounded_words(words.score),
        reciprocal_rank(words),
        bounded_look(meaning),
        normalised(PRICE, _PRICE, price, 0.0),
        normalised(SALES, _SALES, sales, 0.0),
        normalised(PRAISE, _PRAISE, praise, 0.0),
    )


def matrix(rows: Sequence[Row]) -> NDArray[np.float32]:
    """(n, len(FEATURES))."""
    return np.array(rows, np.float32).reshape(len(rows), len(FEATURES))
