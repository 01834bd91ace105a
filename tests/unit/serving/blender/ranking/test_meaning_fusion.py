"""Words and what they look like: how the two lists come together."""

from __future__ import annotations

from dataclasses import replace
from typing import Literal

import pytest
from msgspec.structs import replace as changed

from schemas.found import Hit
from schemas.query.body import Weights
from schemas.query.question import Question
from schemas.query.relevance import Rung, bounded_words
from serving.blender.ranking.candidates import Candidates
from serving.blender.ranking.fusion import fuse
from serving.blender.ranking.ranking import Ranking

WORDS = [("a", 5.0), ("b", 1.0)]
MEANING = [("c", 0.9), ("b", 0.5), ("d", -0.1), ("a", -0.2)]


@pytest.mark.parametrize("fusion", ["rrf", "linear"])
def test_scores_are_added_whichever_the_fusion(fusion: Literal["rrf", "linear"]) -> None:
    fits = fuse(None, WORDS, Weights(words=2.0, meaning=3.0), fusion, meaning=MEANING)
    assert fits["a"].relevance == pytest.approx(2.0 * 0.5)
    assert fits["b"].relevance == pytest.approx(2.0 * bounded_words(1.0) + 3.0 * 0.5)
    assert fits["c"].relevance == pytest.approx(3.0 * 0.9)
    assert (fits["b"].words, fits["b"].meaning, fits["b"].look) == (Rung(1.0, 2), Rung(0.5, 2), None)
    assert fits["c"].words is None


def test_what_fits_less_than_the_mean_picture_and_has_no_word_is_left_out() -> None:
    assert fuse(None, WORDS, Weights(), "rrf", meaning=MEANING).keys() == {"a", "b", "c"}
    assert fuse(None, [], Weights(), "rrf", meaning=[("d", -0.1)]) == {}


def test_without_meaning_nothing_is_otherwise() -> None:
    assert fuse(None, WORDS, Weights(meaning=9.0), "rrf") == fuse(None, WORDS, Weights(), "rrf")
    assert fuse(None, WORDS, Weights(), "rrf")["a"].relevance == 5.0


def hit(product: str, score: float) -> Hit:
    return Hit(product.encode() * 16, product, score, "", 1.0, 1, 1.0, b"{}", 1, 0)


def test_page_says_where_each_product_was_found_and_what_is_shown_stays_away() -> None:
    words, meaning = ([hit(*pair) for pair in pairs] for pairs in (WORDS, MEANING))
    candidates = Candidates(words=words, meaning=meaning)
    question = Question(text="x", explain=True, limit=2)
    ranking = Ranking(question, candidates, now_ms=0)
    first = ranking.page()
    assert [each.hit.product_id for each in first.results] == ["c", "b"] and first.more
    explained = [each.explain for each in first.results]
    assert explained[0] is not None and explained[0]["meaning"] == {"score": 0.9, "rank": 1}
    assert explained[0]["words"] is None and explained[0]["score"] == pytest.approx(0.9)
    second = Ranking(question, candidates, now_ms=0, shown=first.shown).page()
    (last,) = second.results
    assert last.hit.product_id == "a" and not second.more
    assert last.explain is not None and last.explain["score"] == pytest.approx(0.5)


def test_least_relevance_does_not_end_a_list_that_has_more() -> None:
    words, meaning = ([hit(*pair) for pair in pairs] for pairs in (WORDS, MEANING))
    candidates = replace(Candidates(words=words, meaning=meaning), exhausted=False)
    page = Ranking(changed(Question(text="x"), min_score=0.6), candidates, now_ms=0).page()
    assert [each.hit.product_id for each in page.results] == ["c", "b"]
    assert not page.complete
