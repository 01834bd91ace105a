"""The score by a rank profile."""

from __future__ import annotations

import math

import pytest

from schemas.query.fields import Fields
from schemas.query.rank import Measure, RankProfile, checked_profile, scored
from serving.blender.ranking.profiles import measure_parts

FIELDS = Fields()


def test_a_score_is_the_weighted_sum() -> None:
    profile = checked_profile({"relevance": 2, "sales": Measure(0.5, 100), "price": Measure(-1, 50)}, FIELDS)
    assert scored(profile, 0.4, {"sales": 300.0, "price": 50.0}, 0.0) == pytest.approx(2 * 0.4 + 0.5 * 0.75 - 0.5)


def test_a_profile_without_measures_weighs_relevance_alone() -> None:
    assert scored(RankProfile(3.0), 0.5, {}, 0.0) == 1.5


def test_parts_name_value_and_what_came_of_it() -> None:
    profile = checked_profile({"praise": 0.5, "listed": Measure(1, 10)}, FIELDS)
    parts = measure_parts(profile, {"praise": 0.8, "listed": math.nan}, 864_000.0)
    assert parts == {
        "praise": {"value": 0.8, "normalised": 0.8, "weight": 0.5, "part": 0.4},
        "listed": {"value": None, "normalised": 0.0, "weight": 1.0, "part": 0.0},
    }


def test_age_is_measured_from_the_watermark_given() -> None:
    profile = checked_profile({"relevance": 0, "listed": Measure(1, 10)}, FIELDS)
    listed = {"listed": 1000.0}
    assert scored(profile, 1.0, listed, 1000.0) == 1.0
    assert scored(profile, 1.0, listed, 1000.0 + 10 * 86_400) == pytest.approx(0.5)
