"""The score of a product: its relevance and what its own figures add, by a rank profile."""

from __future__ import annotations

import math

from schemas.query.fields import Field, Values
from schemas.query.rank import Measure, RankProfile, normalised
from serving.blender.ranking.explain import MeasurePart


def scored(profile: RankProfile, relevance: float, values: Values, now_s: float) -> float:
    """relevance * its weight + sum of each measure in 0..1 * its weight, in the order of the fields' names.

    `values`: of all the profile's fields; `now_s`: Unix seconds of the answer's watermark.
    """
    score = profile.relevance * relevance
    for field, measure in profile.measures:
        score += measure.weight * normalised(field, measure, _figure(field, values), now_s)
    return score


def measure_parts(profile: RankProfile, values: Values, now_s: float) -> dict[str, MeasurePart]:
    """What each measure added, by field."""
    return {field.name: _part(field, measure, _figure(field, values), now_s) for field, measure in profile.measures}


def _part(field: Field, measure: Measure, value: float, now_s: float) -> MeasurePart:
    counted = normalised(field, measure, value, now_s)
    return MeasurePart(
        value=None if math.isnan(value) else value,
        normalised=counted,
        weight=measure.weight,
        part=measure.weight * counted,
    )


def _figure(field: Field, values: Values) -> float:
    value = values[field.name]
    return value if isinstance(value, float) else math.nan
