"""A range of the log as bounded work: a partition is a unit, read where the work is done. Knows no Flink."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from itertools import islice
from typing import Any

import msgspec

from jobs.pipeline.stage import Metrics, Record
from jobs.pipeline.work import Work
from messaging.ranges import read_range
from schemas.access.kafka import Kafka


class PartitionRange(msgspec.Struct, frozen=True):
    """The records of a partition with offsets from `begin` up to, without, `end`."""

    partition: int
    begin: int
    end: int


@dataclass(frozen=True, slots=True)
class LogRange:
    """The records of partition p with offsets from `begins[p]` up to, without, `ends[p]`."""

    topic: str
    bootstrap: Kafka
    begins: tuple[int, ...]
    ends: tuple[int, ...]

    @property
    def records(self) -> int:
        return sum(part.end - part.begin for part in self.partitions())

    def partitions(self) -> list[PartitionRange]:
        """Those that hold records of the range."""
        ranges = enumerate(zip(self.begins, self.ends, strict=True))
        return [PartitionRange(partition, begin, end) for partition, (begin, end) in ranges if begin < end]


class OverLog:
    """Work on `PartitionRange`s: hands `work` their records in the log's order, at most `batch` at a time.

    Answers with the list of its answers. A range that is done again begins at its begin.
    """

    def __init__(self, log: LogRange, work: Callable[[], Work[Sequence[Record], Any]], batch: int) -> None:
        self._log = log
        self._work = work()
        self._batch = batch

    def open(self, metrics: Metrics) -> None:
        self._work.open(metrics)

    def process(self, unit: PartitionRange, /) -> list[Any]:
        messages = read_range(self._log.bootstrap, self._log.topic, unit.partition, unit.begin, unit.end)
        records = (Record(m.key, m.value, m.partition, m.offset, m.timestamp_ms) for m in messages)
        answers = []
        while batch := list(islice(records, self._batch)):
            answers.append(self._work.process(batch))
        return answers

    def close(self) -> None:
        self._work.close()
