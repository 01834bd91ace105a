"""How a score came about, as it is shown to who asks for it."""

from __future__ import annotations

from typing import NotRequired, TypedDict


class ListPart(TypedDict):
    """Where a product stands in one list: its score there (inner product, or BM25), and its rank from 1."""

    score: float
    rank: int


class MeasurePart(TypedDict):
    """What a field added. `value`: null where it has none; `normalised`: 0..1; `part`: weight times that."""

    value: float | None
    normalised: float
    weight: float
    part: float


class Explain(TypedDict):
    """score = relevance_weight * relevance + the sum of the measures' parts.

    `look` and `words`: null where the product is not in that list, or the list
    was not asked for. `meaning`: there where it was found by what the words look
    like. `relevance`: of the lists together.
    """

    look: ListPart | None
    words: ListPart | None
    meaning: NotRequired[ListPart]
    relevance: float
    relevance_weight: float
    measures: dict[str, MeasurePart]
    score: float
