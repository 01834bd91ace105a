"""Questions and lists of the benchmark of meaning."""

from __future__ import annotations

import numpy as np

from benchmarks.meaning.questions import questions
from benchmarks.meaning.ranked import NOWHERE, Keywords, by_ranks, first, quality
from schemas.query.body import Weights
from serving.blender.ranking.fusion import fuse

PRODUCTS = [
    {"product_id": f"p{number}-{colour}", "title": f"{name} Run {kind} {colour}", "brand": name, "colour": colour,
     "category": f"{wearer}/{path}"}
    for number, name in enumerate(["Ann", "Bob", "Cid"])
    for colour in ("Red", "Blue")
    for wearer, path, kind in (("Men", "Bottoms/Pants", "Pant"), ("Women", "Tops/Jackets", "Coat"))
]  # fmt: skip


def test_relevant_is_what_has_all_that_the_words_say() -> None:
    asked = {question.text: question for question in questions(PRODUCTS, 1)}
    relevant = asked["Men Red Pants"].relevant
    assert [row for row, product in enumerate(PRODUCTS) if relevant[row]] == [
        row for row, product in enumerate(PRODUCTS) if product["colour"] == "Red" and "Pants" in product["category"]
    ]
    np.testing.assert_array_equal(asked["gentlemen crimson trousers"].relevant, relevant)
    assert asked["gentlemen crimson trousers"].voice == "other words"
    assert asked["Red trousers"].voice == "one other word"
    assert asked["red run"].voice == "titles"


def test_other_words_are_nowhere_in_the_catalogue() -> None:
    words = Keywords(PRODUCTS)
    asked = questions(PRODUCTS, 1)
    assert "coat" not in {question.text for question in asked if question.voice == "other words"}  # a title has it
    assert all(len(first(words.scores(each.text)[0])) == 0 for each in asked if each.voice == "other words")


def test_ranks_are_fused_as_the_serving_tier_fuses_them() -> None:
    random = np.random.default_rng(1)
    look, words = random.random(20), np.where(random.random(20) < 0.5, NOWHERE, random.random(20))
    lists = [[(f"{row:02}", float(scores[row])) for row in first(scores, 20)] for scores in (look, words)]
    served = fuse(lists[0], lists[1], Weights(), "rrf")
    best = sorted(served, key=lambda product: -served[product].relevance)[:10]
    assert [f"{row:02}" for row in first(by_ranks([(look, 1.0), (words, 1.0)]))] == best


def test_quality_counts_against_the_ten_that_could_be() -> None:
    relevant = np.arange(30) < 4
    assert quality(-np.arange(30.0), relevant) == {"precision_at_10": 0.4, "recall_at_10": 1.0}
