"""An order learned from shoppers whose clicks follow a known rule."""

from __future__ import annotations

from functools import cache

import numpy as np
import pytest

from benchmarks.load.shoppers import DECLARED, STEEPNESS, SimulatedShop, order
from indexing.ranking.lessons import Lessons
from indexing.ranking.model import encode_model
from indexing.ranking.propensity import estimated
from indexing.ranking.training import LEAST_CLICKED, Learned, too_few, train_model
from tests.support.shoppers.clicks import simulated, taught


@cache
def shop_and_lessons() -> tuple[SimulatedShop, Lessons]:
    shop = simulated()
    return shop, taught(shop, days=5, answers=400)


@cache
def learned() -> Learned:
    return train_model(shop_and_lessons()[1], seed=3)


def test_learned_order_comes_near_the_best_and_beats_what_was_declared() -> None:
    shop, _ = shop_and_lessons()
    found = learned()
    assert (found.used, found.why) == (True, "")
    assert found.held["beyond_declared"] > 3 * found.held["beyond_declared_error"]
    assert found.held["ndcg_at_10"] > max(found.held["ndcg_at_10_relevance"], found.held["ndcg_at_10_profile.popular"])
    assert found.held["ndcg_at_10"] > found.by_chance["ndcg_at_10"]
    by_relevance, by_declared, by_learned = shop.mean_ndcg(
        100, order, lambda asked: order(asked, DECLARED["popular"]), lambda asked: order(asked, model=found.model)
    )
    assert by_learned > 0.85
    assert by_learned > max(by_relevance, by_declared) + 0.05


def test_how_often_a_position_is_looked_at_is_found_from_the_log() -> None:
    _, given = shop_and_lessons()
    positions = np.arange(1, 9)
    assert estimated(given, 1).of(positions) == pytest.approx(positions**-STEEPNESS, abs=0.12)


def test_what_fits_better_by_look_is_never_ranked_down_for_it() -> None:
    model = learned().model
    rows = np.random.default_rng(1).random((200, 8)).astype(np.float32)
    better = rows.copy()
    better[:, 0] = np.minimum(1.0, better[:, 0] + 0.2)
    assert (model.raw(better) >= model.raw(rows)).all()


def test_same_lessons_give_the_same_bytes() -> None:
    again = train_model(shop_and_lessons()[1], seed=3)
    assert encode_model(again.model) == encode_model(learned().model)
    assert again.held == learned().held


def test_random_clicks_teach_nothing_that_is_used() -> None:
    found = train_model(taught(simulated(2, taste=0.0), days=5, answers=500), seed=3)
    assert not found.used
    assert "on the days held back: not better by" in found.why


def test_too_few_clicks_and_a_single_day_are_no_lessons() -> None:
    shop = simulated(4)
    few = taught(shop, days=2, answers=20)
    assert f"{LEAST_CLICKED} and 100 are needed" in too_few(few)
    assert "two days" in too_few(taught(shop, days=1, answers=20))
    assert "two days" in too_few(taught(shop, days=0, answers=0))
    with pytest.raises(ValueError, match="needed"):
        train_model(few, seed=3)
