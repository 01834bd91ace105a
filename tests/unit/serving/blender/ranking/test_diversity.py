"""No more than so many of one kind, and none too like the others."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from serving.blender.ranking.diversity import Quotas, by_marginal_relevance, first_allowed


def anything(_position: int) -> bool:
    return True


def test_a_value_is_taken_as_often_as_it_may() -> None:
    brands = ["a", "a", "b", "a", None, None, "b", "c"]
    quotas = Quotas([2])
    assert first_allowed(len(brands), 20, lambda i: quotas.take([brands[i]])) == [0, 1, 2, 4, 5, 6, 7]


def test_a_product_that_one_field_refuses_counts_in_no_other() -> None:
    quotas = Quotas([1, 1])
    assert quotas.take(["a", "x"])
    assert not quotas.take(["a", "y"])
    assert quotas.take(["b", "y"])


def test_no_more_are_taken_than_wanted() -> None:
    quotas = Quotas([1])
    assert first_allowed(3, 1, lambda i: quotas.take(["abc"[i]])) == [0]
    assert quotas.take(["b"])


def slow_mmr(scores: list[float], vectors: Any, balance: float, wanted: int) -> list[int]:
    """Carbonell and Goldstein's formula, word for word."""
    low, high = min(scores), max(scores)
    relevance = [(score - low) / (high - low) if high > low else 1.0 for score in scores]
    chosen: list[int] = []
    while len(chosen) < min(wanted, len(scores)):
        gains = {
            i: balance * relevance[i]
            - (1 - balance) * max((float(vectors[i] @ vectors[j]) for j in chosen), default=0.0)
            for i in range(len(scores))
            if i not in chosen
        }
        chosen.append(max(gains, key=lambda i: (round(gains[i], 5), -i)))
    return chosen


@settings(deadline=None)
@given(st.integers(1, 12), st.sampled_from([0.0, 0.3, 0.7, 1.0]), st.integers(1, 14), st.integers(0, 2**32 - 1))
def test_the_choice_is_that_of_the_formula(count: int, balance: float, wanted: int, seed: int) -> None:
    rng = np.random.default_rng(seed)
    vectors = rng.standard_normal((count, 6)).astype(np.float32)
    vectors /= np.linalg.norm(vectors, axis=1, keepdims=True)
    scores = np.sort(rng.random(count))[::-1]
    chosen = by_marginal_relevance(scores, vectors, balance, wanted, anything)
    assert chosen == slow_mmr(list(scores), vectors, balance, wanted)


def test_a_twin_gives_way_to_another() -> None:
    vectors = np.array([[1, 0], [1, 0], [0, 1]], dtype=np.float32)
    scores = np.array([0.9, 0.89, 0.5])
    assert by_marginal_relevance(scores, vectors, 0.4, 2, anything) == [0, 2]
    assert by_marginal_relevance(scores, vectors, 1.0, 2, anything) == [0, 1]


def test_equal_products_keep_their_order() -> None:
    vectors = np.zeros((4, 3), dtype=np.float32)
    for balance in (0.0, 0.5, 1.0):
        assert by_marginal_relevance(np.full(4, 0.5), vectors, balance, 4, anything) == [0, 1, 2, 3]


def test_what_is_not_admitted_makes_nothing_less_welcome() -> None:
    vectors = np.array([[1, 0, 0], [0, 1, 0], [0, 1, 0], [0, 0, 1], [1, 0, 0]], dtype=np.float32)
    scores = np.array([1.0, 0.9, 0.6, 0.5, 0.0])
    assert by_marginal_relevance(scores, vectors, 0.5, 2, lambda i: i != 1) == [0, 2]


@pytest.mark.parametrize("count", [0, 1])
def test_few_candidates_are_all_taken(count: int) -> None:
    assert by_marginal_relevance(np.ones(count), np.ones((count, 2), np.float32), 0.5, 9, anything) == [0][:count]
