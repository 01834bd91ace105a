"""What an answer may show, by the log alone: the price and the images that a product had at or after the watermark."""

from __future__ import annotations

from bisect import bisect_left
from collections import defaultdict
from dataclasses import dataclass, field
from typing import Any, NamedTuple

from messaging.consumer import Message
from schemas.events.record import ProductRecord
from schemas.settings import Settings
from tests.rebuilt import LogTruth

_REMEMBERED = 2000
"""States of one product; what is older, no answer speaks of any more."""


class State(NamedTuple):
    """A product after one of its events, which the log stamped `stamp_ms`."""

    stamp_ms: int
    listed: bool
    price: Any
    urls: frozenset[str]


class Shown(NamedTuple):
    """A product as an answer shows it. `url` None: the answer names no image."""

    product_id: str
    price: float | None
    url: str | None


@dataclass(slots=True)
class Answer:
    """`watermark_ms`: every event stamped before it is reflected. `received_ms`: no event stamped after it can be."""

    kind: str
    watermark_ms: int
    received_ms: float
    shown: list[Shown] = field(default_factory=list)
    partial: bool = False


class Oracle:
    """Follows the log with the pure core, and judges answers once it has read beyond them."""

    def __init__(self, settings: Settings) -> None:
        self._states: dict[str, list[State]] = defaultdict(list)
        self.truth = LogTruth(settings, applied=self._note)

    def _note(self, record: ProductRecord, message: Message) -> None:
        urls = frozenset(entry.url for entry in record.images if entry.attached)
        states = self._states[record.product_id]
        states.append(State(message.timestamp_ms, record.listed, record.attributes.get("price"), urls))
        if len(states) > 2 * _REMEMBERED:
            del states[:_REMEMBERED]

    def wrong(self, answer: Answer) -> list[str]:
        """What the answer must not have shown. The log must have been read up to `received_ms`."""
        problems = []
        ids = [shown.product_id for shown in answer.shown]
        if len(set(ids)) < len(ids):
            problems.append(f"doubled: {sorted(name for name in set(ids) if ids.count(name) > 1)}")
        for shown in answer.shown:
            states = self.possible(shown.product_id, answer)
            listed = [state for state in states if state.listed]
            if not listed:
                problems.append(f"removed: {shown.product_id}, by {states}")
            elif shown.price not in [state.price for state in listed]:
                problems.append(f"price: {shown}, by {listed}")
            elif shown.url is not None and not any(shown.url in state.urls for state in listed):
                problems.append(f"image: {shown}, by {listed}")
        return [f"{answer.kind} at watermark {answer.watermark_ms}: {problem}" for problem in problems]

    def possible(self, product_id: str, answer: Answer) -> list[State]:
        """The product's states that the answer may stand for: the one at its watermark, and all until it came."""
        states = self._states.get(product_id, [])
        # An event stamped in the watermark's own millisecond may come behind the one that moved it.
        first = max(0, bisect_left(states, answer.watermark_ms, key=lambda state: state.stamp_ms) - 1)
        return [state for state in states[first:] if state.stamp_ms <= answer.received_ms + 1]
