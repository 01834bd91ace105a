"""How well a product fits, from one list or from two."""

from __future__ import annotations

from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from schemas.query.body import Weights
from schemas.query.relevance import Rung
from serving.blender.ranking.fusion import fuse

LOOK = [("a", 0.9), ("b", 0.5), ("c", -0.2)]
WORDS = [("b", 20.0), ("d", 5.0)]
EVEN = Weights()


def test_likeness_alone_is_the_relevance_below_zero_too() -> None:
    fits = fuse(LOOK, None, EVEN, "rrf", bounded=True)
    assert {product: fit.relevance for product, fit in fits.items()} == {"a": 0.9, "b": 0.5, "c": -0.2}
    assert fits["b"].look == Rung(0.5, 2)
    assert fits["b"].words is None


def test_words_alone_are_shown_as_they_are_and_bounded_beside_measures() -> None:
    assert fuse(None, WORDS, EVEN, "rrf")["b"].relevance == 20.0
    assert fuse(None, WORDS, EVEN, "rrf", bounded=True)["b"].relevance == pytest.approx(0.8)
    assert fuse(None, WORDS, EVEN, "linear", bounded=True)["d"].relevance == pytest.approx(0.5)


def test_reciprocal_ranks_add_up_by_weight() -> None:
    fits = fuse(LOOK, WORDS, Weights(look=3, words=1), "rrf")
    most = 3 / 61 + 1 / 61
    assert fits["a"].relevance == pytest.approx((3 / 61) / most)
    assert fits["b"].relevance == pytest.approx((3 / 62 + 1 / 61) / most)
    assert fits["d"].relevance == pytest.approx((1 / 62) / most)


def test_the_first_of_all_lists_has_relevance_1() -> None:
    fits = fuse([("a", 0.1), ("b", 0.05)], [("a", 2.0)], Weights(look=0.3, words=7), "rrf")
    assert fits["a"].relevance == pytest.approx(1.0)


def test_linear_fusion_weighs_scores() -> None:
    fits = fuse(LOOK, WORDS, Weights(look=3, words=1), "linear")
    assert fits["a"].relevance == pytest.approx(3 * 0.9)
    assert fits["b"].relevance == pytest.approx(3 * 0.5 + 0.8)
    assert fits["c"].relevance == 0.0
    assert fits["d"].relevance == pytest.approx(0.5)


def test_words_that_find_nothing_leave_the_order_of_likeness() -> None:
    fits = fuse(LOOK, [], EVEN, "rrf")
    assert sorted(fits, key=lambda product: -fits[product].relevance) == ["a", "b", "c"]
    assert fits["a"].relevance == pytest.approx(0.5)


@given(
    st.lists(st.floats(-1, 1), max_size=30),
    st.lists(st.floats(0, 50), max_size=30),
    st.floats(0, 100),
    st.floats(0.01, 100),
    st.sampled_from(["rrf", "linear"]),
)
def test_two_lists_give_what_their_weights_allow_and_never_less_to_who_is_before(
    look: list[float], words: list[float], look_weight: float, words_weight: float, fusion: str
) -> None:
    by_look = [(f"p{i}", score) for i, score in enumerate(sorted(look, reverse=True))]
    by_words = [(f"p{i}", score) for i, score in enumerate(sorted(words, reverse=True))]
    fits = fuse(by_look, by_words, Weights(look_weight, words_weight), fusion)  # type: ignore[arg-type]
    relevances = [fits[f"p{i}"].relevance for i in range(len(fits))]
    most = 1.0 if fusion == "rrf" else look_weight + words_weight
    assert all(0.0 <= relevance <= most * (1 + 1e-12) for relevance in relevances)
    assert all(first >= second - 1e-9 for first, second in pairwise(relevances))
