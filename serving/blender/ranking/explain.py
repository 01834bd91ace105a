"""How a score came about, as it is shown to who asks for it."""

from __future__ import annotations

from typing import NotRequired, TypedDict

from schemas.features.colours.told import main_colour, shown_colours
from schemas.features.said import objects_said, words_said
from schemas.found import Hit
from schemas.query.relevance import Rung


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


class LearnedScore(TypedDict):
    """What a learned order made of a product. `raw`: what its trees add up to, of any size; `features`: 0..1 each.

    `within`: it fits as well as what the order was learned from; the others follow by relevance.
    """

    raw: float
    within: bool
    features: dict[str, float]


class Shown(TypedDict):
    """What a picture shows, as far as that is told: what is known alone is there.

    `colour`: the one that it is of; `colours`: all that it shows; `objects`: seen in it; `words`: read in it.
    """

    colour: NotRequired[str]
    colours: NotRequired[list[str]]
    objects: NotRequired[list[str]]
    words: NotRequired[str]


class Explain(TypedDict):
    """score = relevance_weight * relevance + the sum of the measures' parts; or that of the learned order.

    `look` and `words`: null where the product is not in that list, or the list
    was not asked for. `meaning`: there where it was found by what the words look
    like; `learned`: where the order is learned from clicks. `relevance`: of the lists together.
    `look_parts`: what each part of the look adds to the inner product, where it has parts.
    `shown`: what the picture shows that stands for the product, where anything is told of it.
    """

    look: ListPart | None
    look_parts: NotRequired[dict[str, float]]
    words: ListPart | None
    meaning: NotRequired[ListPart]
    relevance: float
    relevance_weight: float
    measures: dict[str, MeasurePart]
    learned: NotRequired[LearnedScore]
    score: float
    shown: NotRequired[Shown]


def shown_in(hit: Hit) -> Shown | None:
    """What the picture of a hit shows; None where nothing is told of it."""
    shown = Shown()
    if colour := main_colour(hit.colours):
        shown["colour"] = colour
    if colours := shown_colours(hit.colours):
        shown["colours"] = [*colours]
    if objects := objects_said(hit.said):
        shown["objects"] = [*objects]
    if words := words_said(hit.said):
        shown["words"] = words
    return shown or None


def list_part(rung: Rung | None) -> ListPart | None:
    return None if rung is None else ListPart(score=rung.score, rank=rung.rank)
