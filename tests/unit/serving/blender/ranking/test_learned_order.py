"""The order learned from clicks, as a ranking applies it."""

from __future__ import annotations

import math
from typing import Any

import msgspec
import pytest

from schemas.errors import OperatorError
from schemas.found import Hit
from schemas.ids import image_id
from schemas.query.fields import Fields
from schemas.query.question import Question, decode_question
from schemas.query.rank import LEARNED, RankProfile, declared_profiles
from serving.blender.ranking.candidates import POOL, Candidates, products_wanted
from serving.blender.ranking.ranking import Page, Ranking
from serving.blender.ranking.values import needs_attributes
from tests.support.shoppers.clicks import cheapest_first

PRICES = [float(price) for price in range(5, 100, 5)]
MODEL = cheapest_first(PRICES, least_look=0.5)
HITS = [
    Hit(image_id(f"p{n}", "1"), f"p{n}", 0.9 - 0.03 * n, "", float(5 * ((7 * n) % 19 + 1)), 1, 0.5, b"", 1)
    for n in range(19)
]
"""Prices of their own, in no order of likeness; the last five look less alike than what was learned from."""


def asked(**body: Any) -> Question:
    body = {"text": "a", "rank": LEARNED, **body}
    return decode_question(msgspec.json.encode(body), Fields(), {LEARNED: RankProfile(learned=True)})


def page_of(question: Question, shown: frozenset[bytes] = frozenset(), **found: Any) -> Page:
    return Ranking(question, Candidates(**found), now_ms=0, shown=shown, model=MODEL).page()


def ids(page: Page) -> list[str]:
    return [each.hit.product_id for each in page.results]


def cheapest(hits: list[Hit]) -> list[str]:
    return [hit.product_id for hit in sorted(hits, key=lambda hit: hit.price)]


def test_model_orders_what_it_knows_and_the_rest_follows_by_relevance() -> None:
    page = page_of(asked(limit=100), look=HITS)
    known = [hit for hit in HITS if hit.score >= 0.5]
    assert 0 < len(known) < len(HITS)
    assert ids(page) == cheapest(known) + [hit.product_id for hit in HITS if hit.score < 0.5]
    scores = [each.score for each in page.results]
    assert scores == sorted(scores, reverse=True)
    assert all((1 < each.score < 2) == (each.hit.score >= 0.5) for each in page.results)


def test_pages_are_one_list_cut_in_pieces() -> None:
    whole = ids(page_of(asked(limit=100), look=HITS))
    pages: list[str] = []
    shown: frozenset[bytes] = frozenset()
    while len(pages) < len(whole):
        page = page_of(asked(limit=4), shown, look=HITS)
        pages += ids(page)
        shown = page.shown
    assert pages == whole


def test_explain_says_what_the_model_saw() -> None:
    first = page_of(asked(explain=True, limit=100), look=HITS).results
    learned = [each.explain["learned"] for each in first if each.explain is not None]
    assert len(learned) == len(HITS)
    cheap = first[0]
    assert learned[0]["within"] and learned[0]["raw"] == float(sum(price >= cheap.hit.price for price in PRICES))
    assert learned[0]["features"]["look"] == pytest.approx(cheap.hit.score)
    assert learned[0]["features"]["price"] == pytest.approx(cheap.hit.price / (cheap.hit.price + 50))
    assert learned[0]["features"]["words"] == 0.0
    assert not learned[-1]["within"]


def test_without_a_model_products_are_in_the_order_of_relevance() -> None:
    page = Ranking(asked(explain=True), Candidates(look=HITS), now_ms=0).page()
    assert ids(page) == [hit.product_id for hit in HITS[:10]]
    assert page.results[0].score == HITS[0].score
    assert page.results[0].explain is not None and "learned" not in page.results[0].explain


def test_words_alone_and_filters_alone_are_ordered_too() -> None:
    words = [msgspec.structs.replace(hit, score=20.0 * hit.score) for hit in HITS]
    assert ids(page_of(asked(limit=100), words=words)) == cheapest(HITS)
    only_filter = asked(text="", filter={"price": {"gte": 0}}, limit=100)
    assert ids(page_of(only_filter, listed=HITS)) == cheapest(HITS)


def test_equal_scores_are_in_the_order_of_ids_and_unknown_figures_are_none() -> None:
    nothing = [msgspec.structs.replace(hit, price=math.nan, sales=-1, praise=math.nan, score=0.8) for hit in HITS]
    assert ids(page_of(asked(limit=100), look=nothing[::-1])) == sorted(hit.product_id for hit in HITS)


def test_least_score_and_sort_are_as_without_it() -> None:
    assert set(ids(page_of(asked(min_score=0.7, limit=100), look=HITS))) == {
        hit.product_id for hit in HITS if hit.score >= 0.7
    }
    assert ids(page_of(asked(sort="-price", limit=100), look=HITS)) == cheapest(HITS)[::-1]


def test_no_candidates_are_an_empty_page() -> None:
    assert page_of(asked(), look=[]).results == ()


def test_whole_pools_are_asked_for_and_no_attributes() -> None:
    assert products_wanted(asked(), 0) == POOL
    assert not needs_attributes(asked())


def test_its_name_cannot_be_declared() -> None:
    with pytest.raises(OperatorError, match=r"rank_profiles\.learned.*rename"):
        declared_profiles({LEARNED: {"sales": 1.0}}, Fields())
