"""Rank profiles: what settings may declare, and what of a value counts."""

from __future__ import annotations

import math
from typing import Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from schemas.errors import OperatorError, RejectedError
from schemas.query.fields import Field, FieldKind, Fields
from schemas.query.rank import Measure, RankProfile, RankTable, checked_profile, declared_profiles, normalised

FIELDS = Fields.declared(["season:time"])
SALES = Field("sales", FieldKind.NUMBER)
LISTED = Field("listed", FieldKind.TIME)
DAY_S = 86_400.0


def declared(tables: dict[str, Any]) -> dict[str, RankProfile]:
    return declared_profiles(msgspec.convert(tables, dict[str, RankTable], strict=False), FIELDS)


def test_settings_declare_profiles_as_tables() -> None:
    profiles = declared({"popular": {"relevance": 0.5, "sales": {"weight": 0.3, "half": 500}, "praise": 0.2}})
    praise = Field("praise", FieldKind.NUMBER)
    assert profiles == {"popular": RankProfile(0.5, ((praise, Measure(0.2)), (SALES, Measure(0.3, 500.0))))}


def test_relevance_counts_once_where_nothing_is_said_of_it() -> None:
    assert checked_profile({"sales": 0.3}, FIELDS).relevance == 1.0


def test_the_order_of_a_table_does_not_matter() -> None:
    assert checked_profile({"sales": 1, "price": -1}, FIELDS) == checked_profile({"price": -1, "sales": 1}, FIELDS)


@pytest.mark.parametrize(
    ("table", "says"),
    [
        ({"sails": 1}, "no field 'sails'"), ({"brand": 1}, "brand is a keyword"), ({"sales": math.nan}, "weight"),
        ({"sales": math.inf}, "weight"), ({"sales": 101}, "weight"), ({"relevance": -1}, "0 to 100"),
        ({"relevance": {"weight": 1, "half": 2}}, "without half"), ({"sales": {"weight": 1, "half": 0}}, "half"),
        ({"sales": {"weight": 1, "half": math.inf}}, "half"), ({"sales": {"weight": 1, "half": math.nan}}, "half"),
    ],
)  # fmt: skip
def test_a_table_that_cannot_be_is_refused_with_its_place(table: dict[str, Any], says: str) -> None:
    with pytest.raises(OperatorError, match=rf"rank_profiles\.mine\.{next(iter(table))}.*{says}"):
        declared({"mine": table})
    with pytest.raises(RejectedError, match=says) as refused:
        checked_profile(msgspec.convert(table, RankTable), FIELDS)
    assert refused.value.reason == "invalid_question"


@pytest.mark.parametrize(
    ("value", "half", "counts"),
    [
        (500.0, 500.0, 0.5), (1500.0, 500.0, 0.75), (0.0, 500.0, 0.0), (-3.0, 500.0, 0.0), (math.nan, 500.0, 0.0),
        (1.7e308, 1.7e308, 0.5), (5e-324, 500.0, 0.0), (math.inf, 500.0, 1.0),
        (0.4, None, 0.4), (7.0, None, 1.0), (-7.0, None, 0.0), (math.nan, None, 0.0),
    ],
)  # fmt: skip
def test_a_number_counts_by_saturation_or_as_it_is(value: float, half: float | None, counts: float) -> None:
    assert normalised(SALES, Measure(1.0, half), value, 0.0) == pytest.approx(counts)


@pytest.mark.parametrize(
    ("age_days", "half", "counts"),
    [(0, None, 1.0), (30, None, 0.5), (60, None, 0.25), (7, 7.0, 0.5), (-9, 7.0, 1.0), (1e9, 7.0, 0.0)],
)
def test_a_time_counts_half_each_half_life(age_days: float, half: float | None, counts: float) -> None:
    now_s = 1e9
    assert normalised(LISTED, Measure(1.0, half), now_s - age_days * DAY_S, now_s) == pytest.approx(counts)


def test_an_unknown_time_counts_nothing() -> None:
    assert normalised(LISTED, Measure(1.0), math.nan, 1e9) == 0.0


@given(
    st.sampled_from([SALES, LISTED]),
    st.none() | st.floats(min_value=0, exclude_min=True, allow_infinity=False),
    st.floats(),
    st.floats(allow_nan=False, allow_infinity=False),
)
def test_whatever_the_value_it_counts_from_0_to_1(field: Field, half: float | None, value: float, now_s: float) -> None:
    assert 0.0 <= normalised(field, Measure(1.0, half), value, now_s) <= 1.0
