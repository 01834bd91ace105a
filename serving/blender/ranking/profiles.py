"""What each figure of a product adds to its score by a rank profile, as it is shown to who asks for it."""

from __future__ import annotations

import math

from schemas.query.fields import Field, Values
from schemas.query.rank import Measure, RankProfile, figure_in, normalised
from serving.blender.ranking.explain import MeasurePart


def measure_parts(profile: RankProfile, values: Values, now_s: float) -> dict[str, MeasurePart]:
    """What each measure added, by field."""
    return {field.name: _part(field, measure, figure_in(values, field), now_s) for field, measure in profile.measures}


def _part(field: Field, measure: Measure, value: float, now_s: float) -> MeasurePart:
    counted = normalised(field, measure, value, now_s)
    return MeasurePart(
        value=None if math.isnan(value) else value,
        normalised=counted,
        weight=measure.weight,
        part=measure.weight * counted,
    )
