"""Doubles are named under the best of them, once each, and nothing that passes is lost or shown twice."""

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
from schemas.query.fields import Fields
from schemas.query.question import Question, decode_question
from serving.blender.ranking import doubles, pages
from serving.blender.ranking.candidates import Candidates
from serving.blender.ranking.ranking import Page, Ranking
from serving.blender.ranking.scored import Vectors

LEAST = 0.95


def asked(**body: Any) -> Question:
    return decode_question(msgspec.json.encode({"text": "a", **body}), Fields(), {})


def hit(product: str, score: float, picture: int, **known: Any) -> Hit:
    """Products of one picture are doubles; `vectors` reads the picture from the price."""
    url = f"http://{product}"
    attributes = msgspec.json.encode(known) if known else b""
    return Hit(image_id(product, url), product, score, url, float(picture), -1, math.nan, attributes, 1)


def vectors(hits: Sequence[Hit]) -> Vectors:
    return {each.image_id: np.eye(64, dtype=np.float32)[int(each.price)] for each in hits}


def page_of(question: Question, hits: Sequence[Hit], *, shown: frozenset[bytes] = frozenset(), **options: Any) -> Page:
    ranking = Ranking(question, Candidates(look=hits, **options), now_ms=1, shown=shown, least=LEAST)
    assert {each.image_id for each in hits} >= set(ranking.vectors_wanted)
    return ranking.page(vectors(hits))


def told(page: Page) -> list[tuple[str, list[str]]]:
    return [(each.hit.product_id, [named.hit.product_id for named in each.also]) for each in page.results]


def test_the_best_stays_and_names_the_others_in_their_order() -> None:
    hits = [hit("a", 0.9, 1), hit("b", 0.8, 2), hit("c", 0.7, 1), hit("d", 0.6, 3), hit("e", 0.5, 1)]
    page = page_of(asked(), hits)
    assert told(page) == [("a", ["c", "e"]), ("b", []), ("d", [])]
    assert page.results[0].also[0].likeness == 1
    assert (page.named, page.compared, page.more) == (2, 5, False)
    assert page.shown == {product_hash(product) for product in "abcde"}


def test_doubles_take_no_place_of_the_page_and_are_named_from_behind_its_end() -> None:
    hits = [hit("a", 0.9, 1), hit("b", 0.8, 1), hit("c", 0.7, 2), hit("d", 0.6, 3), hit("e", 0.5, 2)]
    page = page_of(asked(limit=2), hits)
    assert told(page) == [("a", ["b"]), ("c", ["e"])]
    assert page.more
    assert page.complete
    assert told(page_of(asked(limit=2), hits, shown=page.shown)) == [("d", [])]


def test_what_is_less_alike_is_shown_and_so_is_what_has_no_vector() -> None:
    hits = [hit("a", 0.9, 1), hit("b", 0.8, 2), hit("c", 0.7, 3)]
    for angle, named in ((17, ["b"]), (19, [])):
        turned = [math.cos(math.radians(angle)), math.sin(math.radians(angle))]
        known = {hits[0].image_id: np.array([1, 0], np.float32), hits[1].image_id: np.array(turned, np.float32)}
        page = Ranking(asked(), Candidates(look=hits), now_ms=1, least=LEAST).page(known)
        assert told(page)[0] == ("a", named)
        assert told(page)[-1] == ("c", [])


def test_products_of_other_colours_are_no_doubles_whatever_their_pictures() -> None:
    hits = [hit("a", 0.9, 1, colour="Red"), hit("b", 0.8, 1, colour="blue"), hit("c", 0.7, 1)]
    hits += [hit("d", 0.6, 1, colour="red "), hit("e", 0.5, 1, colour="BLUE")]
    assert told(page_of(asked(), hits)) == [("a", ["c", "d"]), ("b", ["e"])]


def test_without_merging_all_are_shown() -> None:
    hits = [hit("a", 0.9, 1), hit("b", 0.8, 1)]
    page = Ranking(asked(), Candidates(look=hits), now_ms=1).page(vectors(hits))
    assert told(page) == [("a", []), ("b", [])]
    assert (page.named, page.compared) == (0, 0)


def test_a_picture_of_very_many_is_led_by_several() -> None:
    hits = [hit(f"p{number:03}", 1 - number / 1000, 7) for number in range(2 * doubles.MOST_NAMED + 5)]
    page = page_of(asked(limit=10), hits)
    assert [len(also) + 1 for _, also in told(page)] == [doubles.MOST_NAMED + 1, doubles.MOST_NAMED + 1, 3]
    assert len(page.shown) == len(hits)


def test_what_is_named_uses_up_no_quota() -> None:
    hits = [hit("a", 0.9, 1, brand="x"), hit("b", 0.8, 1, brand="x"), hit("c", 0.7, 2, brand="x")]
    hits += [hit("d", 0.6, 3, brand="x"), hit("e", 0.5, 4, brand="y")]
    assert told(page_of(asked(diversity={"max_per": {"brand": 2}}), hits)) == [("a", ["b"]), ("c", []), ("e", [])]


def test_variety_is_chosen_among_what_is_no_double() -> None:
    hits = [hit("a", 0.9, 1), hit("b", 0.89, 1), hit("c", 0.88, 2), hit("d", 0.1, 3)]
    page = page_of(asked(limit=3, diversity={"mmr": 0.5}), hits)
    assert dict(told(page)) == {"a": ["b"], "c": [], "d": []}


@pytest.mark.parametrize(
    "order", [{}, {"sort": "price"}, {"diversity": {"mmr": 0.4}}, {"diversity": {"max_per": {"brand": 1}}}]
)
@settings(max_examples=60, deadline=None)
@given(data=st.data())
def test_each_product_is_on_one_page_shown_or_named(order: dict[str, Any], data: st.DataObject) -> None:
    question = asked(limit=3, **order)
    pictures = data.draw(st.lists(st.integers(0, 5), min_size=1, max_size=40))
    found = [hit(f"p{n}", data.draw(st.integers(0, 9)), each, brand="xyz"[n % 3]) for n, each in enumerate(pictures)]
    cursor, met, places = "", [], 0
    for _ in range(100):
        seen = pages.decode(cursor, question.digest())
        assert seen.places == places
        page = page_of(question, found, shown=seen.shown)
        for product, also in told(page):
            met += [product, *also]
        places += len(page.results)
        if not page.more:
            break
        cursor = pages.encode(page.shown, question.digest(), seen.named + page.named)
    assert sorted(met) == sorted(each.product_id for each in found)
