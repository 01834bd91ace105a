"""How a product came to its place in an answer, where it was asked to be explained."""

from __future__ import annotations

import msgspec


class ListPart(msgspec.Struct, frozen=True, kw_only=True):
    """Where a product stands in one list: its score there (inner product, or BM25), and its rank from 1."""

    score: float
    rank: int


class MeasurePart(msgspec.Struct, frozen=True, kw_only=True):
    """What a field added to a score. `value`: None where it has none; `normalised`: 0..1; `part`: weight times that."""

    value: float | None
    normalised: float
    weight: float
    part: float


class LearnedScore(msgspec.Struct, frozen=True, kw_only=True):
    """What a learned order made of a product; `within`: it fits as well as what the order was learned from."""

    raw: float
    within: bool
    features: dict[str, float]


class Shown(msgspec.Struct, frozen=True, kw_only=True):
    """What a picture shows, as far as that is told.

    `colour`: the one that it is of; `colours`: all that it shows; `objects`: seen in it; `words`: read in it.
    """

    colour: str | None = None
    colours: tuple[str, ...] = ()
    objects: tuple[str, ...] = ()
    words: str = ""


class Explain(msgspec.Struct, frozen=True, kw_only=True):
    """score = relevance_weight * relevance + the sum of the measures' parts; or that of the learned order.

    `look`, `words` and `meaning`: None where the product is not in that list, or the list was not asked for.
    `learned`: where the order is learned from clicks. `look_parts`: what each part of the look adds, where it has any.
    `shown`: what the picture shows that stands for the product, where anything is told of it.
    """

    look: ListPart | None
    words: ListPart | None
    relevance: float
    relevance_weight: float
    measures: dict[str, MeasurePart]
    score: float
    meaning: ListPart | None = None
    look_parts: dict[str, float] | None = None
    learned: LearnedScore | None = None
    shown: Shown | None = None
