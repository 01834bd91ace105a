"""Rank profiles: what a product's own figures (sales, praise, age, ...) add to how well it fits the question.

A figure counts in 0..1, whatever its unit, so that weights can be compared:
the saturation v / (v + half) as in BM25's term frequency, and for times a
half-life (decay functions of Li and Croft, "Time-based language models", 2003).
"""

from __future__ import annotations

import math
from collections.abc import Mapping

import msgspec

from schemas.errors import OperatorError, RejectedError
from schemas.query.fields import Field, FieldKind, Fields, Values

INVALID_QUESTION = "invalid_question"
MAX_WEIGHT = 100.0
RELEVANCE = "relevance"
"""The key of a table that weighs how well a product fits; a field of that name cannot be ranked by."""
HALF_LIFE_DAYS = 30.0
"""Of a time field whose measure names none."""
LEARNED = "learned"
"""The profile that is learned from clicks; none that is declared can have its name."""
_DAY_S = 86_400.0


class Measure(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """What a field adds: `weight` (-100 to 100; below 0: less is better) times its value in 0..1.

    `half` (above 0): the number that counts half; of a time field, the age in
    days at which it does, by default 30. A number without it is taken as it
    is, cut to 0..1.
    """

    weight: float
    half: float | None = None


RankTable = dict[str, float | Measure]
"""A profile as settings and questions declare it: `relevance` and fields, each with a weight or a `Measure`."""


class RankProfile(msgspec.Struct, frozen=True):
    """A checked table: `relevance` (0 to 100), and the measures in the order of their fields' names.

    `learned`: the order that the full index learned from clicks instead, where it has one; else by relevance.
    """

    relevance: float = 1.0
    measures: tuple[tuple[Field, Measure], ...] = ()
    learned: bool = False


def checked_profile(table: Mapping[str, float | Measure], fields: Fields, where: str = "rank") -> RankProfile:
    """The profile that a table declares; `relevance` is 1 where it says nothing of it.

    Raises `RejectedError('invalid_question', ...)`, which says where, for fields that are not there or not numeric, and
    for weights and halves that cannot be.
    """
    relevance = 1.0
    measures = []
    for name in sorted(table):
        wanted = table[name]
        measure = wanted if isinstance(wanted, Measure) else Measure(float(wanted))
        place = f"{where}.{name[:80]}"
        if not abs(measure.weight) <= MAX_WEIGHT:
            raise RejectedError(
                INVALID_QUESTION, f"{place}: a weight from -100 to 100 is wanted, found {measure.weight}"
            )
        if name == RELEVANCE:
            if measure.half is not None or measure.weight < 0:
                raise RejectedError(INVALID_QUESTION, f"{place}: a number from 0 to 100 is wanted, without half")
            relevance = measure.weight
            continue
        field = fields.get(name)
        if field is None or not field.kind.numeric:
            problem = f"there is no field {name[:80]!r}" if field is None else f"{name} is a {field.kind}"
            there = ", ".join(each.name for each in fields if each.kind.numeric)
            raise RejectedError(INVALID_QUESTION, f"{place}: {problem}; products are ranked by {RELEVANCE} and {there}")
        if measure.half is not None and not 0 < measure.half < math.inf:
            raise RejectedError(INVALID_QUESTION, f"{place}.half: a number above 0 is wanted, found {measure.half}")
        measures.append((field, measure))
    return RankProfile(relevance, tuple(measures))


def declared_profiles(tables: Mapping[str, RankTable], fields: Fields) -> dict[str, RankProfile]:
    """The profiles of the setting `rank_profiles`, by name. Raises `OperatorError` that names what to mend."""
    if LEARNED in tables:
        raise OperatorError(f"rank_profiles.{LEARNED}: the name is that of the order learned from clicks; rename it")
    try:
        return {name: checked_profile(table, fields, f"rank_profiles.{name}") for name, table in tables.items()}
    except RejectedError as error:
        raise OperatorError(f"setting not usable: {error.detail}") from error


def normalised(field: Field, measure: Measure, value: float, now_s: float) -> float:
    """What counts of a value: 0..1; 0 where there is none (NaN).

    `now_s`: Unix seconds of the answer's watermark, not of the clock, so that
    an answer is a function of the log. A time after it counts as now.
    """
    if math.isnan(value):
        return 0.0
    if field.kind is FieldKind.TIME:
        age_days = max(0.0, now_s - value) / _DAY_S
        return float(2.0 ** (-age_days / (measure.half or HALF_LIFE_DAYS)))
    if measure.half is None:
        return min(1.0, max(0.0, value))
    # As v / (v + half), but without a sum that could be beyond float64.
    return 1.0 / (1.0 + measure.half / value) if value > 0 else 0.0


def scored(profile: RankProfile, relevance: float, values: Values, now_s: float) -> float:
    """relevance * its weight + sum of each measure in 0..1 * its weight, in the order of the fields' names.

    `values`: of all the profile's fields; `now_s`: Unix seconds of the answer's watermark.
    """
    score = profile.relevance * relevance
    for field, measure in profile.measures:
        score += measure.weight * normalised(field, measure, figure_in(values, field), now_s)
    return score


def figure_in(values: Values, field: Field) -> float:
    """A product's number of that field; NaN where it has none."""
    value = values[field.name]
    return value if isinstance(value, float) else math.nan
