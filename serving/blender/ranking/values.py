"""A hit's values of the fields that a question ranks by, read as `schemas.query.fields.values_of` reads all of them."""

from __future__ import annotations

import math

from indexing.ranking.features import MEASURED
from schemas.found import Hit
from schemas.query.fields import MEASURES, Field, Values, figure_of, texts_of
from schemas.query.question import Question
from serving.blender.showing.products import decode_attributes


def ranked_by(question: Question) -> tuple[Field, ...]:
    """The fields whose values decide the order: () when the scores do alone."""
    fields: dict[str, Field] = {}
    if question.rank is not None:
        fields.update((field.name, field) for field, _ in question.rank.measures)
        if question.rank.learned:
            fields.update((field.name, field) for field, _ in MEASURED.values())
    if question.sort is not None:
        fields[question.sort.field.name] = question.sort.field
    fields.update((field.name, field) for field, _ in question.max_per)
    return tuple(fields.values())


def needs_attributes(question: Question) -> bool:
    """Whether hits must come with their attributes to be ranked: price, sales and praise come with every hit."""
    return any(field.name not in MEASURES for field in ranked_by(question))


def values_of_hit(hit: Hit, fields: tuple[Field, ...]) -> Values:
    """Values of these fields; the attributes are decoded only where one of them lies there.

    All 64 fields that an index may have would be read for the three that a question ranks by. A hit whose attributes
    were left out (`attributes_omitted`) has none of what lies in them.
    """
    attributes = None
    values: dict[str, tuple[str, ...] | float] = {}
    for field in fields:
        match field.name:
            case "price":
                values["price"] = hit.price
            case "praise":
                values["praise"] = hit.praise
            case "sales":
                values["sales"] = float(hit.sales) if hit.sales >= 0 else math.nan
            case name:
                if attributes is None:
                    attributes = decode_attributes(hit.attributes)
                raw = attributes.get(name)
                values[name] = figure_of(field, raw) if field.kind.numeric else texts_of(field, raw)
    return values
