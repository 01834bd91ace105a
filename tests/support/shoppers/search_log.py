"""Two days of a search log, as if it had been three days ago: written into a real Kafka, or folded from memory."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime

from confluent_kafka import Producer

from messaging.producer import now_ms
from schemas.access.kafka import Kafka
from schemas.search_log import ClickRecord, SearchRecord, ShownProduct, encode_record
from schemas.topics import CLICKS, DAY_MS, SEARCH_LOG
from search_report.figures import DayFigures
from search_report.reading import SearchReport

NOON_MS = now_ms() // DAY_MS * DAY_MS - 3 * DAY_MS + DAY_MS // 2
"""Three days ago: what other tests log is of today."""


def _answer(number: int, *products: str, words: str, at_ms: int = NOON_MS) -> SearchRecord:
    return SearchRecord(
        search_id=f"{number:032x}", at_ms=at_ms + number, kinds=("words",), words=words, generation="live",
        watermark_ms=at_ms, took_ms=10.0 + number,
        shown=tuple(ShownProduct(product_id=each, position=n, score=1.0) for n, each in enumerate(products, 1)),
    )  # fmt: skip


def _clicked(number: int, product: str, position: int, at_ms: int = NOON_MS) -> ClickRecord:
    return ClickRecord(search_id=f"{number:032x}", product_id=product, position=position, at_ms=at_ms + 5000)


def _records() -> tuple[Sequence[SearchRecord], Sequence[ClickRecord]]:
    searches = [
        _answer(1, "a", "b", words="red boot"),
        _answer(2, "a", "c", words="Red Boot "),
        _answer(3, words="zebra"),
        _answer(4, "a", words="hat", at_ms=NOON_MS + DAY_MS),
    ]
    midnight = NOON_MS + DAY_MS // 2
    searches.append(_answer(5, "d", words="scarf", at_ms=midnight - 1000))
    clicks = [
        _clicked(1, "b", 2),
        _clicked(2, "x", 1),
        _clicked(4, "a", 1, NOON_MS + DAY_MS),
        _clicked(5, "d", 1, midnight),
    ]
    return searches, clicks


def report_from_memory(_kafka: Kafka, days: int, now_ms: int) -> SearchReport:
    """What `read_report` makes of these records, whoever else writes; for a process of its own."""
    searches, clicks = _records()
    today = now_ms // DAY_MS
    figures = {day: DayFigures() for day in range(today - days + 1, today + 1)}
    for search in searches:
        if (folded := figures.get(search.at_ms // DAY_MS)) is not None:
            folded.add(search, [click for click in clicks if click.search_id == search.search_id])
    named = {day: datetime.fromtimestamp(day * DAY_MS / 1000, UTC).date().isoformat() for day in figures}
    return SearchReport([folded.report(named[day]) for day, folded in figures.items()], 0)


def write_old_log(kafka: str) -> None:
    """Into topics that are empty: as in any log, what is stamped later comes later."""
    searches, clicks = _records()
    producer = Producer({"bootstrap.servers": kafka, "partitioner": "murmur2_random"})
    producer.produce(SEARCH_LOG, key="x", value=b"no json", timestamp=NOON_MS)
    for record in sorted((*searches, *clicks), key=lambda each: each.at_ms):
        topic = SEARCH_LOG if isinstance(record, SearchRecord) else CLICKS
        producer.produce(topic, key=record.search_id, value=encode_record(record), timestamp=record.at_ms)
    assert producer.flush(30) == 0
