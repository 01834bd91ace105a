"""The figures of the search report: what each counts, and that no order and no division changes any."""

from __future__ import annotations

import math
from collections.abc import Sequence
from itertools import pairwise

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from schemas.search_log import ClickKind, ClickRecord, Kind, SearchRecord, ShownProduct
from search_report import figures
from search_report.figures import CLICK_WITHIN_MS, DayFigures, DayReport, WordsCount, merged, normalised
from search_report.tally import Tally, Times

NOW_MS = 1_767_261_600_000

Session = tuple[SearchRecord, list[ClickRecord]]


def search(
    *products: str,
    kinds: tuple[Kind, ...] = ("words",),
    words: str | None = None,
    before: int = 0,
    took_ms: float = 5.0,
) -> SearchRecord:
    shown = tuple(
        ShownProduct(product_id=product, position=position, score=0.5)
        for position, product in enumerate(products, before + 1)
    )
    return SearchRecord(
        search_id="0" * 32, at_ms=NOW_MS, kinds=kinds, generation="live", watermark_ms=NOW_MS, took_ms=took_ms,
        shown=shown, before=before, words=words,
    )  # fmt: skip


def click(product: str, position: int, kind: ClickKind = "click", after_ms: int = 1000) -> ClickRecord:
    return ClickRecord(search_id="0" * 32, product_id=product, position=position, at_ms=NOW_MS + after_ms, kind=kind)


def report(*sessions: Session) -> DayReport:
    day = DayFigures()
    for asked, clicks in sessions:
        day.add(asked, clicks)
    return day.report("2026-01-01")


def test_no_search_has_no_shares() -> None:
    empty = report()
    assert (empty.searches, empty.clicks, empty.products, empty.effective_products) == (0, 0, 0, 0.0)
    assert (empty.with_photo, empty.clicked_share, empty.mrr, empty.took_p50_ms) == (None, None, None, None)


def test_shares_are_of_searches_and_further_pages_are_none() -> None:
    found = report(
        (search("a", kinds=("photo",)), []),
        (search("a", kinds=("photo", "words")), []),
        (search(kinds=("words", "filter")), []),
        (search("b", kinds=("vector",)), []),
        (search("c", before=10), []),
        (search(before=20), []),  # beyond the last product: nothing was in vain
    )
    assert (found.searches, found.further_pages) == (4, 2)
    assert (found.with_photo, found.with_words, found.with_both, found.without_result) == (0.5, 0.5, 0.25, 0.25)


def test_clicks_count_once_a_product_and_their_first_position_makes_the_mrr() -> None:
    found = report(
        (search("a", "b", "c", "d"), [click("d", 4, after_ms=2000), click("b", 2), click("b", 2, after_ms=3000)]),
        (search("a", "b"), [click("a", 1, "click"), click("a", 1, "cart"), click("a", 1, "purchase")]),
        (search("a", "b"), []),
        (search("k", before=10), [click("k", 11)]),
    )
    assert (found.clicks, found.carts, found.purchases) == (4, 1, 1)
    assert found.clicked_share == pytest.approx(2 / 3)
    assert found.mrr == pytest.approx((1 / 2 + 1 + 1 / 11) / 3)
    assert found.mean_position == pytest.approx((4 + 2 + 1 + 11) / 4)


def test_click_that_cannot_be_is_not_counted() -> None:
    found = report(
        (
            search("a", "b"),
            [
                click("b", 1),
                click("z", 2),
                click("a", 1, after_ms=CLICK_WITHIN_MS + 1),
                click("a", 1, after_ms=-70_000),
            ],
        )
    )
    assert (found.clicks, found.clicked_share, found.clicks_not_shown) == (0, 0.0, 2)


def test_words_are_counted_without_regard_to_case_and_blanks_and_control_nobodys_terminal() -> None:
    asked = ["Red  Boot", "red boot ", "hat", "\x1b[31mhat\u202e"]
    found = report(*((search("a", words=words), []) for words in asked), (search(words="Zebra"), []))
    assert found.top_words[0] == WordsCount("red boot", 2)
    assert found.top_words_without_result == [WordsCount("zebra", 1)]
    assert normalised(asked[-1]) == "[31mhat"


def test_times_are_right_within_a_hundredth() -> None:
    found = report(*((search("a", took_ms=float(ms)), []) for ms in range(1, 1001)))
    assert found.took_p50_ms == pytest.approx(500, rel=0.012)
    assert found.took_p95_ms == pytest.approx(950, rel=0.012)


def test_variety_is_how_many_equally_frequent_products_would_be_as_varied() -> None:
    assert report((search("a", "b", "c", "d"), [])).effective_products == pytest.approx(4)
    mostly_one = report(*((search("a"), []) for _ in range(97)), (search("b", "c", "d"), []))
    assert mostly_one.products == 4
    assert 1 < mostly_one.effective_products < 1.3


def test_tally_beyond_its_room_is_an_even_sample() -> None:
    tally = Tally(most=500)
    for number in range(20_000):
        tally.add(f"product {number}")
    assert len(tally.counts) <= 500
    assert not tally.exact
    assert tally.distinct() == pytest.approx(20_000, rel=0.2)
    assert tally.effective() == pytest.approx(20_000, rel=0.2)


PRODUCTS = st.sampled_from([f"p{number}" for number in range(30)])


@st.composite
def sessions(draw: st.DrawFn) -> Session:
    kinds = draw(st.lists(st.sampled_from(["photo", "words", "product", "filter"]), min_size=1, unique=True))
    asked = search(
        *draw(st.lists(PRODUCTS, max_size=6, unique=True)),
        kinds=tuple(kinds),
        words=draw(st.none() | st.sampled_from([f"Words {number}" for number in range(15)])),
        before=draw(st.sampled_from([0, 0, 10])),
        took_ms=draw(st.floats(0, 5000)),
    )
    clicks = st.builds(
        click,
        PRODUCTS | st.sampled_from([each.product_id for each in asked.shown] or ["none"]),
        st.integers(1, 16),
        st.sampled_from(["click", "cart", "purchase"]),
        st.integers(-100_000, CLICK_WITHIN_MS + 10),
    )
    return asked, draw(st.lists(clicks, max_size=4))


@given(data=st.data(), drawn=st.lists(sessions(), max_size=25), most=st.sampled_from([4, 200]))
def test_answers_counted_in_any_parts_and_order_give_the_same_report(
    data: st.DataObject, drawn: list[Session], most: int
) -> None:
    def day(part: Sequence[Session]) -> DayFigures:
        counted = DayFigures(most)
        for asked, clicks in part:
            counted.add(asked, clicks)
        return counted

    whole = day(drawn).report("day")
    shuffled = [(asked, data.draw(st.permutations(clicks))) for asked, clicks in data.draw(st.permutations(drawn))]
    cuts = sorted(data.draw(st.lists(st.integers(0, len(shuffled)), max_size=4)))
    bounds = [0, *cuts, len(shuffled)]
    parts = [day(shuffled[low:high]) for low, high in pairwise(bounds)]
    assert merged(data.draw(st.permutations(parts)), most).report("day") == whole
    if parts:  # a part of parts, as partitions are put together on several machines
        assert merged([merged(parts[:2], most), *parts[2:]], most).report("day") == whole


@given(st.lists(st.sampled_from([f"t{number}" for number in range(60)])), st.integers(0, 200))
def test_tally_is_the_same_however_it_was_filled(texts: list[str], cut: int) -> None:
    def filled(part: list[str]) -> Tally:
        tally = Tally(most=8)
        for text in part:
            tally.add(text)
        return tally

    together, other = filled(texts[cut:]), filled(texts[:cut])
    together.merge(other)
    alone = filled(sorted(texts))
    assert (together.counts, together.exact) == (alone.counts, alone.exact)
    for text, times in alone.counts.items():
        assert times == texts.count(text)


@given(st.lists(st.floats(0.01, 1e5), min_size=1), st.floats(0, 1))
def test_quantile_is_that_of_the_sorted_times(times: list[float], part: float) -> None:
    counted = Times()
    for ms in times:
        counted.add(ms)
    wanted = sorted(times)[math.floor(part * (len(times) - 1))]
    found = counted.quantile(part)
    assert found is not None
    assert found == pytest.approx(wanted, rel=0.011)


def test_report_is_json_and_comes_back() -> None:
    found = report((search("a", words="hat"), [click("a", 1)]))
    assert msgspec.json.decode(msgspec.json.encode(found), type=DayReport) == found
    assert figures.TOP >= 5
