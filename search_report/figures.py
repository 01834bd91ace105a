"""The figures of a day: `add` folds in one answer with its clicks, `merge` the figures of other answers of the day.

Everything is counted, nothing averaged until the end: the same answers give the same figures to the last bit, in
whichever order and in however many parts they were counted.
"""

from __future__ import annotations

import unicodedata
from collections import Counter
from collections.abc import Iterable, Sequence

import msgspec

from schemas.search_log import ClickRecord, SearchRecord
from schemas.topics import DAY_MS
from search_report.tally import MOST_KEPT, Tally, Times, mean, mean_reciprocal

TOP = 20
CLICK_WITHIN_MS = DAY_MS
"""From an answer to a click on it; later ones are not counted."""
CLOCKS_APART_MS = 60_000
"""Blenders' clocks: a click may be stamped so much before its answer."""
_TEXT_CHARACTERS = 80


class WordsCount(msgspec.Struct, frozen=True):
    """Words that were asked for, in lower case, and how often."""

    words: str
    searches: int


class DayReport(msgspec.Struct, frozen=True, kw_only=True):
    """A day (UTC) as it is shown. A share is of `searches`, None where there were none; so is what has no clicks.

    `searches`: answers that began; `further_pages`: their pages after the first.
    `with_photo`, `with_words`: searches with that, the other or not; `with_both`.
    `without_result`: searches that found nothing. `clicks`, `carts`, `purchases`:
    products that this was done with, each once an answer. `clicked_share` (CTR):
    searches with any of them on their first page.
    `mrr`: mean of 1 / position of the first click, over answers that were clicked.
    `products`: different ones shown; `effective_products`: as many equally often
    shown ones would be as varied. `sampled`: more different products or words
    than are counted exactly. `clicks_not_shown`: clicks on what the answer had not shown there.
    """

    day: str
    searches: int
    further_pages: int
    with_photo: float | None
    with_words: float | None
    with_both: float | None
    without_result: float | None
    clicks: int
    carts: int
    purchases: int
    clicked_share: float | None
    mrr: float | None
    mean_position: float | None
    took_p50_ms: float | None
    took_p95_ms: float | None
    products: int
    effective_products: float
    top_words: list[WordsCount]
    top_words_without_result: list[WordsCount]
    clicks_not_shown: int
    sampled: bool


class DayFigures:
    """Counts of one day's answers. `most`: different products and words that are counted exactly."""

    def __init__(self, most: int = MOST_KEPT) -> None:
        self._counts: Counter[str] = Counter()
        self._first_positions: Counter[int] = Counter()
        self._positions: Counter[int] = Counter()
        self._took = Times()
        self._products = Tally(most)
        self._words = Tally(most)
        self._words_in_vain = Tally(most)

    def add(self, search: SearchRecord, clicks: Iterable[ClickRecord] = ()) -> None:
        """One answer, with the clicks that name it, in any order; those of another time or product are left out."""
        counts = self._counts
        clicked, not_shown = clicks_on(search, clicks)
        counts["not_shown"] += not_shown
        if search.before:
            counts["further_pages"] += 1
        else:
            counts["searches"] += 1
            counts["clicked"] += bool(clicked)
            self._asked(search)
        self._took.add(search.took_ms)
        for shown in search.shown:
            self._products.add(shown.product_id)
        for kind in ("click", "cart", "purchase"):
            counts[kind] += len({click.product_id for click in clicked if click.kind == kind})
        if clicked:
            first = min(clicked, key=lambda click: (click.at_ms, click.position))
            self._first_positions[first.position] += 1
            places = {(click.product_id, click.position) for click in clicked}
            self._positions.update(position for _, position in places)

    def _asked(self, search: SearchRecord) -> None:
        counts = self._counts
        photo, words = "photo" in search.kinds, "words" in search.kinds
        counts["photo"] += photo
        counts["words"] += words
        counts["both"] += photo and words
        counts["empty"] += not search.shown
        if search.words and (text := normalised(search.words)):
            self._words.add(text)
            if not search.shown:
                self._words_in_vain.add(text)

    def merge(self, other: DayFigures) -> None:
        """Adds the figures of other answers of the same day."""
        self._counts.update(other._counts)
        self._first_positions.update(other._first_positions)
        self._positions.update(other._positions)
        self._took.merge(other._took)
        self._products.merge(other._products)
        self._words.merge(other._words)
        self._words_in_vain.merge(other._words_in_vain)

    def report(self, day: str) -> DayReport:
        """What these counts mean."""
        counts = self._counts
        searches = counts["searches"]

        def share(name: str) -> float | None:
            return counts[name] / searches if searches else None

        return DayReport(
            day=day,
            searches=searches,
            further_pages=counts["further_pages"],
            with_photo=share("photo"),
            with_words=share("words"),
            with_both=share("both"),
            without_result=share("empty"),
            clicks=counts["click"],
            carts=counts["cart"],
            purchases=counts["purchase"],
            clicked_share=share("clicked"),
            mrr=mean_reciprocal(self._first_positions),
            mean_position=mean(self._positions),
            took_p50_ms=self._took.quantile(0.5),
            took_p95_ms=self._took.quantile(0.95),
            products=self._products.distinct(),
            effective_products=self._products.effective(),
            top_words=_top(self._words),
            top_words_without_result=_top(self._words_in_vain),
            clicks_not_shown=counts["not_shown"],
            sampled=not (self._products.exact and self._words.exact),
        )


def clicks_on(search: SearchRecord, clicks: Iterable[ClickRecord]) -> tuple[list[ClickRecord], int]:
    """(those that can be, how many are on what the answer had not shown there), of clicks that name this answer."""
    shown = {(each.product_id, each.position) for each in search.shown}
    in_time = [click for click in clicks if -CLOCKS_APART_MS <= click.at_ms - search.at_ms <= CLICK_WITHIN_MS]
    found = [click for click in in_time if (click.product_id, click.position) in shown]
    return found, len(in_time) - len(found)


def _top(words: Tally) -> list[WordsCount]:
    return [WordsCount(text, times) for text, times in words.top(TOP)]


def normalised(words: str) -> str:
    """As one counts what people ask for: lower case, one blank, no control characters, no more than a line of it."""
    text = " ".join(unicodedata.normalize("NFC", words).casefold().split())
    return "".join(each for each in text if each.isprintable())[:_TEXT_CHARACTERS]


def merged(parts: Sequence[DayFigures], most: int = MOST_KEPT) -> DayFigures:
    """All of them together, each of an equal `most`."""
    whole = DayFigures(most)
    for part in parts:
        whole.merge(part)
    return whole
