"""The oracle of the chaos runs notices what must not be shown, and nothing else; the plan is the seed's."""

from __future__ import annotations

import json

from messaging.consumer import Message
from schemas.ids import kafka_partition
from schemas.settings import load_settings
from tests.chaos.oracle import Answer, Oracle, Shown
from tests.chaos.parts import KILL, MENDERS, part_of, plan


def _oracle() -> Oracle:
    """p: listed at 10 for 1, changed at 20 to 2, removed at 30, listed again at 40 with another image."""
    oracle = Oracle(load_settings({}, event_partitions=1))
    assert kafka_partition(b"p", 1) == 0
    events = [
        (10, {"type": "product_added", "product": {"price": 1}, "images": [{"url": "u"}]}),
        (20, {"type": "product_updated", "product": {"price": 2}}),
        (30, {"type": "product_removed"}),
        (40, {"type": "product_added", "images": [{"url": "v"}]}),
    ]
    for offset, (stamp_ms, event) in enumerate(events):
        value = json.dumps({**event, "product_id": "p"}).encode()
        oracle.truth.take(Message(b"p", value, offset, stamp_ms, 0))
    return oracle


def _wrong(watermark_ms: int, received_ms: float, *shown: tuple[str, float | None, str | None]) -> list[str]:
    answer = Answer("photo", watermark_ms, received_ms, [Shown(*each) for each in shown])
    return [problem.split(": ")[1] for problem in _oracle().wrong(answer)]


def test_what_was_so_at_the_watermark_or_after_it_may_be_shown() -> None:
    assert _wrong(15, 16, ("p", 1, "u")) == []
    assert _wrong(15, 25, ("p", 2, "u")) == []
    assert _wrong(20, 25, ("p", 1, "u")) == []  # the event of that millisecond may lie behind the watermark's
    assert _wrong(45, 50, ("p", 2, "v")) == []
    assert _wrong(0, 15, ("p", 1, None)) == []
    assert _wrong(50, 60) == []


def test_old_prices_removed_products_and_images_are_wrong() -> None:
    assert _wrong(25, 26, ("p", 1, "u")) == ["price"]
    assert _wrong(15, 18, ("p", 2, "u")) == ["price"]  # from the future
    assert _wrong(35, 36, ("p", 2, "u")) == ["removed"]
    assert _wrong(5, 6, ("p", 1, "u")) == ["removed"]  # not listed yet
    assert _wrong(45, 46, ("p", 2, "u")) == ["image"]
    assert _wrong(45, 46, ("p", 2, "v"), ("p", 2, "v")) == ["doubled"]
    assert _wrong(45, 46, ("q", 2, "v")) == ["removed"]


def test_plan_is_the_seeds_hits_everything_and_never_both_that_mend() -> None:
    names = ["kafka", "searcher-0-0", "searcher-0-1", "supervisor", "watchdog", "python-worker-catalogue"]
    rounds = [plan(1, number, names) for number in range(300)]
    assert rounds == [plan(1, number, reversed(names)) for number in range(300)]
    assert rounds != [plan(2, number, names) for number in range(300)]
    assert {fault.part for faults in rounds for fault in faults} == set(names)
    assert {part_of(name) for name in names} == {
        "kafka",
        "searcher",
        "supervisor",
        "watchdog",
        "python-worker-catalogue",
    }
    assert sum(fault.kind == KILL for faults in rounds for fault in faults) > 150
    assert not any({fault.part for fault in faults} == MENDERS for faults in rounds)
