"""What of the log is learned from, and in which numbers."""

from __future__ import annotations

import numpy as np
import pytest

from indexing.ranking.features import FEATURES
from schemas.query.fields import Fields
from schemas.query.rank import Measure, declared_profiles
from schemas.search_log import ClickKind, ClickRecord, SearchRecord, ShownProduct
from schemas.topics import DAY_MS
from search_report.lessons import LessonsOf, joined

PROFILES = declared_profiles(
    {"popular": {"sales": Measure(1.0, 100)}, "new": {"listed": 1.0}, "plain": {"relevance": 2.0}}, Fields()
)


def shown(position: int, **known: object) -> ShownProduct:
    return ShownProduct(product_id=f"p{position}", position=position, score=1.0, **known)  # type: ignore[arg-type]


def answer(number: int, *products: ShownProduct, day: int = 1, **what: object) -> SearchRecord:
    return SearchRecord(
        search_id=f"{number:032x}", at_ms=day * DAY_MS + 1000, generation="live", watermark_ms=0, took_ms=1.0,
        shown=products, **{"kinds": ("photo",), **what},  # type: ignore[arg-type]
    )  # fmt: skip


def click(number: int, position: int, kind: ClickKind = "click", day: int = 1, product: str = "") -> ClickRecord:
    return ClickRecord(
        search_id=f"{number:032x}", product_id=product or f"p{position}", position=position, kind=kind,
        at_ms=day * DAY_MS + 2000,
    )  # fmt: skip


def test_an_answer_becomes_rows_with_what_was_done() -> None:
    lessons = LessonsOf(PROFILES)
    first = shown(11, look_score=0.5, look_rank=1, price=50.0, sales=500, praise=0.5)
    second = shown(12, words_score=5.0, words_rank=1, meaning_score=0.2, meaning_rank=3)
    clicks = [click(1, 12), click(1, 12, "purchase"), click(1, 12, "cart"), click(1, 3), click(1, 11, product="x")]
    lessons.add(answer(1, second, first), clicks)
    found = lessons.lessons()
    assert found.positions.tolist() == [11, 12]
    assert found.values.tolist() == [0.0, 4.0]
    assert (found.days.tolist(), found.starts.tolist(), found.clicked.tolist()) == ([1], [0, 2], [True])
    rows = [dict(zip(FEATURES, row, strict=True)) for row in found.rows.tolist()]
    halves = dict.fromkeys(("look", "price", "sales", "praise"), 0.5)
    assert rows[0] == {"look_rank": 1.0, "words": 0.0, "words_rank": 0.0, "meaning": 0.0, **halves}
    assert (rows[1]["words"], rows[1]["words_rank"], rows[1]["price"]) == (0.5, 1.0, 0.0)
    assert rows[1]["meaning"] == pytest.approx(0.2)


def test_declared_orders_are_those_that_the_log_can_tell() -> None:
    lessons = LessonsOf(PROFILES)
    lessons.add(answer(1, shown(1, look_score=0.4, look_rank=1, sales=100), shown(2, look_score=0.3, look_rank=2)))
    found = lessons.lessons()
    assert set(found.declared) == {"relevance", "profile.popular"}
    assert found.declared["relevance"].tolist() == pytest.approx([0.4, 0.3])
    assert found.declared["profile.popular"].tolist() == pytest.approx([0.9, 0.3])


def test_relevance_is_that_of_the_lists_that_were_asked_for() -> None:
    both = shown(1, look_score=0.4, look_rank=1, words_score=5.0, words_rank=1)
    other = shown(2, look_score=-0.3, look_rank=2)

    def relevance(*kinds: str) -> list[float]:
        lessons = LessonsOf({})
        lessons.add(answer(1, both, other, kinds=kinds))
        found: list[float] = lessons.lessons().declared["relevance"].tolist()
        return found

    assert relevance("photo") == pytest.approx([0.4, -0.3])
    assert relevance("words") == pytest.approx([0.5, 0.0])
    assert relevance("words", "product") == pytest.approx([1.0, 61 / 62 / 2])


def test_an_order_by_a_field_and_a_single_product_say_nothing() -> None:
    lessons = LessonsOf({})
    lessons.add(answer(1, shown(1), shown(2), sort="-price"), [click(1, 1)])
    lessons.add(answer(2, shown(1)), [click(2, 1)])
    assert len(lessons.lessons().days) == 0


def test_of_too_many_the_same_sample_is_kept_however_they_come() -> None:
    numbers = np.random.default_rng(1).permutation(100)
    kept = []
    for order in (numbers, np.sort(numbers)):
        lessons = LessonsOf({}, most=10)
        for number in order.tolist():
            lessons.add(answer(number, shown(1, price=float(number)), shown(2)))
        kept.append(lessons.lessons().rows[::2, FEATURES.index("price")])
    assert len(kept[0]) == 10
    assert kept[0].tolist() == kept[1].tolist()


def test_days_are_joined_in_their_order() -> None:
    parts = []
    for day in (3, 1, 2):
        lessons = LessonsOf({})
        lessons.add(answer(day, shown(1), shown(2), shown(3), day=day), [click(day, day, day=day)])
        parts.append(lessons.lessons())
    parts.insert(1, LessonsOf({}).lessons())
    whole = joined(parts)
    assert whole.days.tolist() == [3, 1, 2]
    assert whole.starts.tolist() == [0, 3, 6, 9]
    assert whole.values.tolist() == [0, 0, 1, 1, 0, 0, 0, 1, 0]
    assert whole.of(whole.days == 2).values.tolist() == [0, 1, 0]
