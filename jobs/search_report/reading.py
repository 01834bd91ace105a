"""The report of the last days, read from the log: a day at a time, so that memory holds one day's clicks and counts."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Iterator, Sequence
from datetime import UTC, datetime
from typing import TypeVar

import msgspec

from jobs.search_report.figures import CLICK_WITHIN_MS, CLOCKS_APART_MS, DayFigures, DayReport
from messaging.admin import describe, offsets_at
from messaging.consumer import PartitionsReader
from messaging.ranges import drain
from schemas.access.kafka import Kafka
from schemas.errors import OperatorError
from schemas.search_log import ClickRecord, decode_click, decode_search
from schemas.topics import CLICKS, DAY_MS, SEARCH_LOG

T = TypeVar("T")


class SearchReport(msgspec.Struct, frozen=True):
    """Oldest day first, days without a search included. `unreadable`: records that are none of the log's."""

    days: list[DayReport]
    unreadable: int

    @property
    def empty(self) -> bool:
        return not any(day.searches or day.further_pages for day in self.days)


def is_there(kafka: Kafka) -> bool:
    """Whether the log has its topics. Raises `TransientError` when Kafka does not answer."""
    return len(describe(kafka, [SEARCH_LOG, CLICKS])) == 2


def read_report(kafka: Kafka, days: int, now_ms: int) -> SearchReport:
    """The last `days` days in UTC, today included.

    Raises `TransientError` when Kafka does not answer, `OperatorError` where there is no log.
    """
    if not is_there(kafka):
        raise OperatorError(
            "there is no search log: set VITRINE_SEARCH_LOG=true, then vitrine start (it makes the topics), and "
            "restart the blender (vitrine stop blender, vitrine start)"
        )
    log = _Log(kafka)
    today_ms = now_ms - now_ms % DAY_MS
    found = [log.day(today_ms - DAY_MS * ago) for ago in range(days - 1, -1, -1)]
    return SearchReport(found, log.unreadable)


class _Log:
    def __init__(self, kafka: Kafka) -> None:
        self._kafka = kafka
        self.unreadable = 0

    def day(self, begin_ms: int) -> DayReport:
        end_ms = begin_ms + DAY_MS
        clicks: dict[str, list[ClickRecord]] = defaultdict(list)
        for click in self._between(CLICKS, begin_ms, end_ms + CLICK_WITHIN_MS, decode_click):
            clicks[click.search_id].append(click)
        figures = DayFigures()
        for search in self._between(SEARCH_LOG, begin_ms, end_ms, decode_search):
            if begin_ms <= search.at_ms < end_ms:
                figures.add(search, clicks.get(search.search_id, ()))
        return figures.report(datetime.fromtimestamp(begin_ms / 1000, UTC).date().isoformat())

    def _between(self, topic: str, begin_ms: int, end_ms: int, decode: Callable[[bytes], T]) -> Iterator[T]:
        """Records stamped then; a minute more at both ends, where clocks of several blenders meet."""
        begins = offsets_at(self._kafka, topic, max(0, begin_ms - CLOCKS_APART_MS))
        ends = offsets_at(self._kafka, topic, end_ms + CLOCKS_APART_MS)
        for value in self._values(topic, begins, ends):
            try:
                yield decode(value)
            except msgspec.DecodeError:
                self.unreadable += 1

    def _values(self, topic: str, begins: Sequence[int], ends: Sequence[int]) -> Iterator[bytes]:
        wanted = {p: (begin, end) for p, (begin, end) in enumerate(zip(begins, ends, strict=True)) if begin < end}
        if not wanted:
            return
        reader = PartitionsReader(self._kafka, topic, {p: begin for p, (begin, _) in wanted.items()})
        try:
            for message in drain(reader, {p: end for p, (_, end) in wanted.items()}, topic=topic, records=10_000):
                yield message.value or b""
        finally:
            reader.close()
