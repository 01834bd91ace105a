"""The log of the last days, read a day at a time, so that memory holds one day's clicks; and the report of it."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Iterator, Sequence
from datetime import UTC, datetime
from typing import TypeVar

import msgspec

from messaging.admin import describe, offsets_at
from messaging.consumer import PartitionsReader
from messaging.ranges import drain
from schemas.access.kafka import Kafka
from schemas.errors import OperatorError
from schemas.search_log import ClickRecord, SearchRecord, decode_click, decode_search
from schemas.topics import CLICKS, DAY_MS, SEARCH_LOG
from search_report.figures import CLICK_WITHIN_MS, CLOCKS_APART_MS, DayFigures, DayReport

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
    log = SearchLogDays(kafka)
    today_ms = day_of(now_ms)
    found = [_report(log, today_ms - DAY_MS * ago) for ago in range(days - 1, -1, -1)]
    return SearchReport(found, log.unreadable)


def day_of(at_ms: int) -> int:
    """When that day (UTC) began."""
    return at_ms - at_ms % DAY_MS


def _report(log: SearchLogDays, begin_ms: int) -> DayReport:
    figures = DayFigures()
    for search, clicks in log.day(begin_ms):
        figures.add(search, clicks)
    return figures.report(datetime.fromtimestamp(begin_ms / 1000, UTC).date().isoformat())


class SearchLogDays:
    """`unreadable`: records so far that are none of the log's."""

    def __init__(self, kafka: Kafka) -> None:
        self._kafka = kafka
        self.unreadable = 0

    def day(self, begin_ms: int) -> Iterator[tuple[SearchRecord, Sequence[ClickRecord]]]:
        """The answers of the day (UTC) that begins then, each with all clicks that name it, whether they can be or not.

        Raises `TransientError` when Kafka does not answer.
        """
        end_ms = begin_ms + DAY_MS
        clicks: dict[str, list[ClickRecord]] = defaultdict(list)
        for click in self._between(CLICKS, begin_ms, end_ms + CLICK_WITHIN_MS, decode_click):
            clicks[click.search_id].append(click)
        for search in self._between(SEARCH_LOG, begin_ms, end_ms, decode_search):
            if begin_ms <= search.at_ms < end_ms:
                yield search, clicks.get(search.search_id, ())

    def goes_back_beyond(self, at_ms: int) -> bool:
        """Whether it has an answer from before then. Raises `TransientError` when Kafka does not answer."""
        return offsets_at(self._kafka, SEARCH_LOG, max(0, at_ms - CLOCKS_APART_MS)) != offsets_at(
            self._kafka, SEARCH_LOG, 0
        )

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
