"""Bounded work as a Flink worker does it: units decoded, answers written down, a torn one left out."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from functools import partial
from pathlib import Path
from typing import Any

import msgspec
import pytest

from jobs.pipeline import log_range
from jobs.pipeline.flink.bounded import Recorded, whole_lines
from jobs.pipeline.log_range import LogRange, OverLog, PartitionRange
from jobs.pipeline.stage import Metrics, Record
from messaging.consumer import Message
from tests.support.metrics import CountingMetrics


class Double(msgspec.Struct, frozen=True):
    number: int


class Doubler:
    def open(self, metrics: Metrics) -> None: ...

    def process(self, unit: Double) -> Double:
        return Double(2 * unit.number)

    def close(self) -> None: ...


class Offsets:
    def open(self, metrics: Metrics) -> None: ...

    def process(self, batch: Sequence[Record]) -> list[int]:
        return [record.offset for record in batch]

    def close(self) -> None: ...


def test_units_are_json_and_answers_are_lines(tmp_path: Path) -> None:
    work = Recorded(Doubler, Double, str(tmp_path))
    work.open(CountingMetrics())
    for number in (1, 2, 3):
        work.process(msgspec.json.encode(Double(number)).decode())
    work.close()
    (file,) = tmp_path.iterdir()
    data = file.read_bytes()
    decoder = msgspec.json.Decoder(Double)
    assert [decoder.decode(line) for line in whole_lines(data)] == [Double(2), Double(4), Double(6)]
    assert len(whole_lines(data[:-2])) == 2  # its worker died while it wrote the third


def test_range_is_a_unit_for_each_partition_that_holds_some_of_it() -> None:
    log = LogRange("events", "127.0.0.1:9092", (5, 7, 0), (9, 7, 1))
    assert log.partitions() == [PartitionRange(0, 5, 9), PartitionRange(2, 0, 1)]
    assert log.records == 5


def test_records_of_a_partition_come_in_order_and_in_batches(monkeypatch: pytest.MonkeyPatch) -> None:
    def read(_bootstrap: Any, topic: str, partition: int, begin: int, end: int) -> Iterator[Message]:
        assert topic == "events"
        yield from (Message(None, b"", offset, 0, partition) for offset in range(begin, end))

    monkeypatch.setattr(log_range, "read_range", read)
    work = partial(OverLog, LogRange("events", "127.0.0.1:9092", (3,), (8,)), Offsets, 2)()
    work.open(CountingMetrics())
    assert work.process(PartitionRange(0, 3, 8)) == [[3, 4], [5, 6], [7]]
    work.close()
