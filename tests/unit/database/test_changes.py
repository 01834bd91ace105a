"""Changes as the real Debezium told them come to the products that the database had in the end."""

from __future__ import annotations

import json
import random
from collections import Counter
from typing import Any

import pytest

from jobs.pipeline.changes.stage import ChangesConfig, ChangesStage
from jobs.pipeline.stage import Record
from schemas.events.dead_letter import decode_dead_letter
from schemas.events.event import ProductEvent, decode_event
from schemas.topics import DEAD_LETTERS, PRODUCT_EVENTS
from tests.support.database.catalogue import FORMS, MAPPING, Product, applied, recorded, shown
from tests.support.metrics import CountingMetrics


def staged(records: list[Record], mapping: str = MAPPING) -> tuple[list[ProductEvent], list[Any], Counter[str]]:
    """The product events, the dead letters, and what was counted."""
    stage, metrics = ChangesStage(ChangesConfig("shop.changes", mapping)), CountingMetrics()
    stage.open(metrics)
    out = stage.process(records)
    events = []
    for record in out:
        if record.topic == PRODUCT_EVENTS:
            event = decode_event(record.value)
            assert record.key == event.product_id.encode()  # type: ignore[union-attr]
            events.append(event)
    letters = [decode_dead_letter(record.value) for record in out if record.topic == DEAD_LETTERS]
    assert len(events) + len(letters) == len(out)
    return events, letters, metrics.counts  # type: ignore[return-value]


BASE = "https://images.example.com"
END = {
    "A-1": Product(
        {
            "title": "Running shoe", "category": "shoes/running", "price": 49.9, "weight_kg": 0.31,
            "size": ["42", "43"], "facts": {"sole": "foam", "drop_mm": 8},
            "story": "A shoe for the first mile and the last. " * 200,
        },
        {f"{BASE}/a-1/side.jpg": "e2", f"{BASE}/a-1/sole.jpg": None},
    ),
    "A-2": Product(
        {"title": "Canvas tote", "category": "bags", "price": 17.9}, {"https://cdn.example.com/tote.jpg": None}
    ),
    "A-3": Product(
        {"title": "Old lamp", "brand": "Bright", "category": "lamps", "price": 89.0, "weight_kg": 2.5, "size": []},
        {f"{BASE}/a-3/lamp.jpg": None},
    ),
    "B-9": Product(
        {
            "title": "Desk lamp", "brand": "Lumen", "category": "lamps", "price": 129.0, "weight_kg": 1.125,
            "size": ["S"], "facts": {"watts": 9}, "story": "Short.",
        },
        {f"{BASE}/b-1/front.jpg": "f1"},
    ),
    "Z-END": Product({"title": "The last", "price": 0.01}, {}),
}  # fmt: skip
TIMES = {
    "A-1": {"listed": "2026-03-01", "changed": "2026-11-03T08:00:00+00:00"},
    "A-2": {"changed": "2026-11-01T10:00:00+00:00"},
    "A-3": {"listed": "2019-01-01", "changed": "2026-11-01T10:00:00+00:00"},
    "B-9": {"listed": "2026-10-01", "changed": "2026-11-02T09:01:00+00:00"},
    "Z-END": {"changed": "2026-11-03T09:00:00+00:00"},
}
"""What dates and times are where a schema tells them from numbers."""


@pytest.mark.parametrize("form", FORMS)
def test_recorded_changes_come_to_what_the_database_had_in_the_end(form: str) -> None:
    events, letters, counts = staged(recorded(form))
    assert letters == []
    records = applied(events)
    assert shown(records, but=("listed", "changed")) == END
    if form == "with":
        found = {name: product.attributes for name, product in shown(records).items()}
        assert {name: {field: found[name][field] for field in times} for name, times in TIMES.items()} == TIMES
    assert counts["changes"] == len(recorded(form))
    # Two tombstones, what changed nothing that is mapped once the database says what was before, a picture's place.
    assert counts["changes_without_effect"] >= 4


@pytest.mark.parametrize("form", FORMS)
def test_what_is_told_again_changes_nothing(form: str) -> None:
    records = recorded(form)
    once = applied(staged(records)[0])
    chooser = random.Random(56)
    for _ in range(20):
        # From some record on anew, again and again, as after restarts of the stage or of Debezium.
        told: list[Record] = []
        position = 0
        while position < len(records):
            end = min(len(records), position + chooser.randint(1, 9))
            told += records[position:end]
            position = end if chooser.random() < 0.7 else max(0, end - chooser.randint(1, 12))
        assert shown(applied(staged(told)[0])) == shown(once)


@pytest.mark.parametrize("form", FORMS)
def test_a_product_that_is_down_stays_down_while_its_changes_are_told_again(form: str) -> None:
    records = recorded(form)
    after = applied(staged(records)[0])
    changes = [record for record in records if b'"C-1"' in (record.key or b"")]
    for length in range(1, len(changes) + 1):
        assert "C-1" not in shown(applied(staged(changes[:length])[0], after))


def change(**fields: Any) -> Record:
    source = {"schema": "shop", "table": "products", "ts_ms": 1000}
    value = {"op": "u", "source": source, "before": None, "after": None, **fields}
    return Record(b"{}", json.dumps(value).encode(), 0, 0, 0)


ROW = {
    "sku": "p", "name": "n", "brand": "b", "category": "c", "price_cents": 100, "weight": 1.0, "sizes": ["S"],
    "facts": "{}", "story": "s", "released": 1, "changed": "x", "status": "live",
}  # fmt: skip


@pytest.mark.parametrize(
    ("record", "reason"),
    [
        (Record(b"", b"{", 0, 0, 0), "not_json"),
        (Record(b"", b"\xff", 0, 0, 0), "not_json"),
        (Record(b"", b'{"sku": "p", "name": "n"}', 0, 0, 0), "no_change_event"),
        (Record(b"", b'{"schema": 5, "payload": {"op": "c", "source": {}}}', 0, 0, 0), "no_change_event"),
        (change(), "no_change_event"),
        (change(op="d"), "no_before"),
        (change(op="d", before={"id": 7}), "no_product_id"),
        (change(op="d", before={"sku": 0, "name": ""}), "no_product_id"),
        (change(op="t"), "truncated"),
        (change(source={"schema": "shop", "table": "orders"}), "unmapped_table"),
        (change(source={"schema": "other", "table": "products"}), "unmapped_table"),
        (change(after={"sku": "p"}), "unknown_column"),
        (change(after={**ROW, "price_cents": "AQI="}), "price"),
        (change(after={**ROW, "price_cents": -1}), "invalid_event"),
        (change(after={**ROW, "status": "__debezium_unavailable_value"}), "unavailable"),
        (
            change(op="u", source={"schema": "shop", "table": "pictures"}, after={"product": "p", "url": "u"}),
            "no_before",
        ),
    ],
)
def test_what_cannot_be_mapped_is_a_dead_letter_and_the_rest_goes_on(record: Record, reason: str) -> None:
    events, letters, _ = staged([record, change(op="c", after=ROW)])
    assert [(letter.reason, letter.topic, letter.stage) for letter in letters] == [(reason, "shop.changes", "changes")]
    assert letters[0].value_bytes() == record.value
    assert [event.product_id for event in events] == ["p"]


def test_a_long_text_that_was_not_sent_stays_as_it_was() -> None:
    first = change(op="c", after=ROW)
    later = change(after={**ROW, "name": "new", "brand": None, "story": "__debezium_unavailable_value"})
    (product,) = shown(applied(staged([first, later])[0])).values()
    assert (product.attributes["title"], product.attributes["story"], "brand" in product.attributes) == (
        "new",
        "s",
        False,
    )


def test_another_id_takes_the_product_of_the_former_one_down() -> None:
    first = change(op="c", after=ROW)
    renamed = change(before=ROW, after={**ROW, "sku": "q"})
    assert list(shown(applied(staged([first, renamed])[0]))) == ["q"]


def test_a_key_alone_before_is_no_product_of_that_id() -> None:
    partly = {**dict.fromkeys(ROW), "sku": "", "name": "", "price_cents": 0}
    assert [event.product_id for event in staged([change(before=partly, after=ROW)])[0]] == ["p"]


def test_a_change_of_what_is_not_mapped_is_silent_only_where_all_of_it_is_known() -> None:
    same = change(before={**ROW, "stock": 3}, after={**ROW, "stock": 2})
    unsure = [change(before={**ROW, **some}, after={**ROW, **some}) for some in ({"brand": None}, {"price_cents": 0})]
    assert len(staged([same])[0]) == 0
    assert len(staged(unsure)[0]) == 2
