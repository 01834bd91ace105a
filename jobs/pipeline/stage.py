"""The one shape of every stage: a batch of records in, a list of records out.

Plain Python: nothing here knows Flink. `jobs.pipeline.flink.arrow_adapter` puts a
stage into a Flink job; tests and the nightly replay call `process` directly.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple, Protocol


class Record(NamedTuple):
    """One Kafka record, with where it lies. `timestamp_ms` is the broker's or producer's, by topic.

    `trace`: its header (`schemas/trace_context.py`), where ways are traced.
    """

    key: bytes | None
    value: bytes | None
    partition: int
    offset: int
    timestamp_ms: int
    trace: bytes | None = None


class Out(NamedTuple):
    """One record to write; Kafka's default partitioner places it by its key.

    `commutes`: it may lie in the log before what was returned ahead of it, in
    this call or an earlier one. Rows of deltas do, a delta's progress and a
    forwarded event do not. `trace`: the header by which its way is followed; a stage leaves that to others.
    """

    topic: str
    key: bytes | None
    value: bytes
    commutes: bool = False
    trace: bytes | None = None


class Metrics(Protocol):
    """Counters and gauges by name; Flink's in the job, a dict in tests."""

    def count(self, name: str, n: int = 1) -> None: ...

    def gauge(self, name: str, value: float) -> None: ...


class Stage(Protocol):
    """Called from one thread. `process` never raises for bad input: that becomes dead letters.

    What it does raise (a corrupt store, a full disk) stops the task; Flink
    restarts it and replays from the last checkpoint, so `process` must bear
    seeing a record again: it emits again what followed from it.
    """

    def open(self, metrics: Metrics) -> None: ...

    def process(self, batch: Sequence[Record]) -> list[Out]: ...

    def close(self) -> None: ...
