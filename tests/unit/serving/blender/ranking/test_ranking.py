"""From candidates to pages: order, what is shown of each, and that pages neither repeat nor pass by a product."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

import msgspec
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from schemas.found import Hit
from schemas.ids import image_id, product_hash
from schemas.query.fields import Fields, values_of
from schemas.query.question import Question, decode_question
from serving.blender.ranking import pages
from serving.blender.ranking.candidates import POOL, Candidates, best_images, products_wanted
from serving.blender.ranking.ranking import Page, Ranked, Ranking
from serving.blender.ranking.values import needs_attributes, values_of_hit
from serving.blender.showing.products import decode_attributes

FIELDS = Fields()
DAY_MS = 86_400_000
NOW_MS = 20_000 * DAY_MS


def hit(product: str, score: float, image: str = "1", **known: Any) -> Hit:
    price, sales, praise = known.pop("price", math.nan), known.pop("sales", -1), known.pop("praise", math.nan)
    return Hit(
        image_id(product, image), product, score, f"http://{product}/{image}", price, sales, praise,
        msgspec.json.encode(known) if known else b"", 1,
    )  # fmt: skip


def asked(**body: Any) -> Question:
    return decode_question(msgspec.json.encode({"text": "a", **body}), FIELDS, {})


def page_of(question: Question, **found: Any) -> Page:
    return Ranking(question, Candidates(**found), now_ms=NOW_MS).page()


def ids(page: Page) -> list[str]:
    return [each.hit.product_id for each in page.results]


# -- one list ----------------------------------------------------------------------------------


def test_the_best_image_of_each_product_is_shown_best_first() -> None:
    hits = [hit("b", 0.5, "1"), hit("a", 0.4, "1"), hit("a", 0.9, "2"), hit("b", 0.1, "2"), hit("c", 0.5)]
    page = page_of(asked(), look=hits)
    assert [(each.hit.product_id, each.score) for each in page.results] == [("a", 0.9), ("b", 0.5), ("c", 0.5)]
    assert page.results[0].hit.url == "http://a/2"
    assert page.results[0].explain is None
    assert not page.more


@given(st.permutations([hit("a", 0.5, "1"), hit("a", 0.5, "2"), hit("b", 0.5), hit("c", 0.7)]))
def test_an_answer_does_not_depend_on_the_order_of_what_was_found(hits: Sequence[Hit]) -> None:
    best = best_images(hits)
    assert [each.product_id for each in best] == ["c", "a", "b"]
    assert best[1].image_id == min(image_id("a", "1"), image_id("a", "2"))


def test_products_asked_with_or_of_the_route_are_left_out_and_take_no_rank() -> None:
    question = decode_question(b'{"products": ["a"], "explain": true}', FIELDS, {})
    found = Candidates(look=[hit("a", 1.0), hit("b", 0.9), hit("c", 0.8)])
    page = Ranking(question, found, now_ms=NOW_MS, without=["b"]).page()
    assert ids(page) == ["c"]
    assert page.results[0].explain is not None
    assert page.results[0].explain["look"] == {"score": 0.8, "rank": 1}


def test_words_alone_show_their_score() -> None:
    assert [each.score for each in page_of(asked(), words=[hit("a", 7.5), hit("b", 9.0)]).results] == [9.0, 7.5]


def test_a_least_score_leaves_out_what_fits_less_however_well_it_sells() -> None:
    found = [hit("a", 0.5, sales=1), hit("b", 0.49, sales=1000)]
    assert ids(page_of(asked(min_score=0.5), look=found)) == ["a"]
    assert ids(page_of(asked(min_score=0.5, rank={"sales": 1}), look=found)) == ["a"]


def test_a_page_is_complete_when_more_candidates_could_add_nothing() -> None:
    found = [hit("a", 0.5), hit("b", 0.4)]
    assert page_of(asked(limit=2), look=found, exhausted=False).complete
    assert not page_of(asked(limit=3), look=found, exhausted=False).complete
    assert page_of(asked(limit=3), look=found, exhausted=True).complete
    cut = page_of(asked(limit=3, min_score=0.45), look=found, exhausted=False)
    assert (ids(cut), cut.complete, cut.more) == (["a"], True, False)
    # What stands low in one list may stand high in the other.
    both = page_of(asked(limit=3, min_score=0.495), look=found, words=[], exhausted=False)
    assert (ids(both), both.complete) == (["a"], False)


def test_a_question_that_only_filters_has_all_products_at_score_0() -> None:
    question = decode_question(b'{"filter": {"brand": "x"}, "sort": "-price"}', FIELDS, {})
    page = page_of(question, listed=[hit("a", 3.0, price=1.0), hit("b", 1.0, price=2.0)])
    assert [(each.hit.product_id, each.score) for each in page.results] == [("b", 0.0), ("a", 0.0)]


# -- two lists and measures --------------------------------------------------------------------


def test_two_lists_are_fused_and_the_image_by_look_is_shown() -> None:
    page = page_of(asked(explain=True), look=[hit("a", 0.9), hit("b", 0.8)], words=[hit("b", 7.0, "2"), hit("c", 3.0)])
    assert ids(page) == ["b", "a", "c"]
    first = page.results[0]
    assert first.hit.url == "http://b/1"
    assert first.explain == {
        "look": {"score": 0.8, "rank": 2}, "words": {"score": 7.0, "rank": 1}, "relevance": first.score,
        "relevance_weight": 1.0, "measures": {}, "score": first.score,
    }  # fmt: skip
    assert first.score == pytest.approx((61 / 62 + 1) / 2)


def test_equal_scores_are_in_the_order_of_product_ids() -> None:
    page = page_of(asked(), look=[hit("b", 0.9)], words=[hit("c", 7.0)])
    other = page_of(asked(), look=[hit("c", 0.9)], words=[hit("b", 7.0)])
    assert ids(page) == ids(other) == ["b", "c"]
    assert page.results[0].score == page.results[1].score


def test_a_score_is_relevance_and_measures_by_weight_and_is_explained() -> None:
    rank = {"relevance": 2, "sales": {"weight": 0.5, "half": 100}, "listed": {"weight": 1, "half": 10}, "price": -0.1}
    found = [
        hit("a", 5.0, sales=300, listed="2024-09-24", price=0.5),
        hit("b", 5.0),
    ]
    page = page_of(asked(rank=rank, explain=True), words=found)
    assert ids(page) == ["a", "b"]
    explain = page.results[0].explain
    assert explain is not None
    assert explain["relevance"] == pytest.approx(0.5)
    assert explain["measures"]["sales"] == {"value": 300.0, "normalised": 0.75, "weight": 0.5, "part": 0.375}
    assert explain["measures"]["listed"]["normalised"] == pytest.approx(0.5)
    assert explain["measures"]["price"]["part"] == pytest.approx(-0.05)
    parts = sum(part["part"] for part in explain["measures"].values())
    assert page.results[0].score == pytest.approx(explain["relevance_weight"] * explain["relevance"] + parts)
    unknown = page.results[1].explain
    assert unknown is not None
    assert unknown["measures"]["sales"] == {"value": None, "normalised": 0.0, "weight": 0.5, "part": 0.0}
    assert page.results[1].score == pytest.approx(1.0)


def test_sorted_by_a_field_products_without_a_value_come_last_either_way() -> None:
    found = [hit("a", 0.1, price=3.0), hit("b", 0.9), hit("c", 0.5, price=1.0), hit("d", 0.7, price=3.0)]
    assert ids(page_of(asked(sort="price"), look=found)) == ["c", "d", "a", "b"]
    assert ids(page_of(asked(sort="-price"), look=found)) == ["d", "a", "c", "b"]


def test_attributes_are_not_read_when_the_order_needs_none() -> None:
    broken = msgspec.structs.replace(hit("a", 0.9, price=2.0, sales=1), attributes=b"{broken")
    for question in (asked(), asked(sort="price"), asked(rank={"sales": 1, "praise": 1})):
        assert not needs_attributes(question)
        assert ids(page_of(question, look=[broken])) == ["a"]
    assert needs_attributes(asked(sort="listed"))
    with pytest.raises(msgspec.DecodeError):
        page_of(asked(diversity={"max_per": {"brand": 1}}), look=[broken])


@given(
    st.fixed_dictionaries(
        {},
        optional={
            "brand": st.sampled_from(["x", 7, None]),
            "category": st.sampled_from(["a/b", ""]),
            "listed": st.sampled_from(["2026-01-01", 5, "soon"]),
            "price": st.just(9.5),
            "sales": st.integers(-1, 3),
            "size": st.just(["S", "M"]),
        },
    )
)
def test_a_field_has_the_value_that_filters_see(known: dict[str, Any]) -> None:
    one = hit("a", 0.5, **known)
    expected = values_of(FIELDS, decode_attributes(one.attributes), one.price, one.sales, one.praise)
    fields = tuple(FIELDS)
    assert repr(values_of_hit(one, fields)) == repr({field.name: expected[field.name] for field in fields})


# -- diversity ---------------------------------------------------------------------------------


def test_a_page_has_no_more_of_a_brand_than_asked_and_the_next_has_the_rest() -> None:
    found = [hit(f"p{i}", 1 - i / 10, brand="x" if i < 4 else "y") for i in range(6)]
    question = asked(limit=3, diversity={"max_per": {"brand": 2}})
    first = page_of(question, look=found)
    assert ids(first) == ["p0", "p1", "p4"]
    assert first.more
    second = Ranking(question, Candidates(look=found), now_ms=NOW_MS, shown=first.shown).page()
    assert ids(second) == ["p2", "p3", "p5"]
    assert not second.more


def test_marginal_relevance_takes_vectors_of_the_pool() -> None:
    found = [hit("a", 0.9), hit("b", 0.89), hit("c", 0.5), hit("d", 0.4)]
    ranking = Ranking(asked(limit=2, diversity={"mmr": 0.4}), Candidates(look=found), now_ms=NOW_MS)
    assert ranking.vectors_wanted == [each.image_id for each in found]
    vectors = dict(zip(ranking.vectors_wanted, np.eye(4, dtype=np.float32)[[0, 0, 1, 2]], strict=True))
    assert ids(ranking.page(vectors)) == ["a", "c"]
    # Without vectors nothing is like anything, and the scores decide.
    assert ids(ranking.page()) == ["a", "b"]
    assert Ranking(asked(), Candidates(look=found), now_ms=NOW_MS).vectors_wanted == []


def test_a_page_is_filled_from_beyond_the_pool_where_quotas_let_too_few_pass() -> None:
    found = [hit(f"p{i:03}", 1 - i / 1000, brand="x" if i < 150 else "y") for i in range(155)]
    question = asked(limit=5, diversity={"max_per": {"brand": 3}, "mmr": 0.9})
    page = page_of(question, look=found)
    assert ids(page) == ["p000", "p001", "p002", "p150", "p151"]


# -- pages -------------------------------------------------------------------------------------


ORDERS: list[dict[str, Any]] = [
    {},
    {"sort": "price"},
    {"diversity": {"max_per": {"brand": 2}}},
    {"rank": {"sales": 1}},
    {"diversity": {"mmr": 0.5, "max_per": {"brand": 1}}},
]


@settings(deadline=None)
@given(st.data())
def test_pages_neither_repeat_nor_pass_by_while_the_index_changes(data: st.DataObject) -> None:
    body = data.draw(st.sampled_from(ORDERS))
    question = asked(limit=data.draw(st.integers(1, 5)), **body)
    kept = [f"p{i}" for i in range(data.draw(st.integers(0, 20)))]
    seen: list[str] = []
    cursor = ""
    for turn in range(100):
        # Between pages every score and price changes, and other products come and go.
        others = [f"t{turn}-{i}" for i in range(data.draw(st.integers(0, 2)))] if turn < 5 else []
        draws = data.draw(st.randoms(use_true_random=False))
        found = [
            hit(product, draws.random(), price=draws.random(), sales=draws.randrange(9), brand=draws.choice("xyz"))
            for product in kept + others
        ]
        shown = pages.decode(cursor, question.digest()).shown
        page = Ranking(question, Candidates(look=found), now_ms=NOW_MS, shown=shown).page()
        assert page.shown == shown | {product_hash(product) for product in ids(page)}
        seen += ids(page)
        if not page.more:
            break
        cursor = pages.encode(page.shown, question.digest())
    assert len(set(seen)) == len(seen)
    assert set(kept) <= set(seen)


def test_ranks_do_not_change_with_what_was_shown() -> None:
    look, words = [hit(f"p{i}", 1 - i / 50) for i in range(20)], [hit(f"p{i * 3}", 20.0 - i) for i in range(6)]
    whole = page_of(asked(limit=20), look=look, words=words)
    shown: frozenset[bytes] = frozenset()
    paged: list[Ranked] = []
    for _ in range(4):
        page = Ranking(asked(limit=5), Candidates(look, words), now_ms=NOW_MS, shown=shown).page()
        paged += page.results
        shown = page.shown
    assert paged == list(whole.results)


@pytest.mark.parametrize("diversity", [{}, {"max_per": {"brand": 3}}, {"mmr": 0.5}])
def test_an_offset_passes_by_what_pages_before_have_and_a_cursor_goes_on_from_there(diversity: dict[str, Any]) -> None:
    found = [hit(f"p{i:02}", 1 - i / 50, brand="xyz"[i % 3]) for i in range(12)]
    whole = ids(page_of(asked(limit=8, diversity=diversity), look=found))
    page = page_of(asked(limit=2, offset=4, diversity=diversity), look=found)
    assert ids(page) == whole[4:6]
    assert page.shown == {product_hash(product) for product in whole[:6]}


def test_an_offset_beyond_the_end_gives_an_empty_page() -> None:
    page = page_of(asked(offset=5), look=[hit("a", 0.5)])
    assert (page.results, page.more) == ((), False)


def test_there_may_be_more_where_not_all_was_found() -> None:
    found = [hit("a", 0.5), hit("b", 0.4)]
    assert not page_of(asked(limit=2), look=found).more
    assert page_of(asked(limit=2), look=found, exhausted=False).more
    assert page_of(asked(limit=1), look=found).more
    assert not page_of(asked(limit=2), look=[], exhausted=False).more


def test_pages_end_where_cursors_do() -> None:
    shown = frozenset(product_hash(f"s{i}") for i in range(pages.MAX_SHOWN - 3))
    found = [hit(f"p{i}", 1 - i / 50) for i in range(10)]
    page = Ranking(asked(limit=10), Candidates(look=found), now_ms=NOW_MS, shown=shown).page()
    assert ids(page) == ["p0", "p1", "p2"]
    assert not page.more
    assert pages.encode(page.shown, b"question") == ""


def test_more_candidates_are_wanted_where_another_order_is() -> None:
    assert products_wanted(asked(), 0) == 11
    assert products_wanted(asked(offset=5, limit=20), 0) == 26
    assert products_wanted(asked(), 30) == 41
    both = decode_question(b'{"text": "a", "products": ["p"]}', FIELDS, {})
    assert products_wanted(asked(), 30, lists=2) == products_wanted(both, 30) == POOL
    for body in ORDERS[1:]:
        assert products_wanted(asked(**body), 0) == products_wanted(asked(**body), 100) == POOL
        assert products_wanted(asked(**body), 500) >= 2 * 511
