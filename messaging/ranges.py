"""Reading a part of a log to its end: the one loop that does so."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Protocol

from messaging.consumer import Message, PartitionReader, PartitionsReader
from schemas.access.kafka import Kafka
from schemas.errors import TransientError

PATIENCE_POLLS = 100
_POLL_S = 0.1


class LogReader(Protocol):
    """Partitions of one topic, each from an offset on; `messaging.consumer.PartitionsReader` is it."""

    positions: dict[int, int]

    def poll(self, max_records: int = ..., timeout_s: float = ...) -> list[Message]: ...

    def beginning_offsets(self, timeout_s: float = ...) -> dict[int, int]: ...

    def end_offsets(self, timeout_s: float = ...) -> dict[int, int]: ...

    def told_ends(self) -> dict[int, int]: ...

    def close(self) -> None: ...


def drain(
    reader: LogReader, ends: Mapping[int, int], *, topic: str, records: int = 1000, compacted: bool = False
) -> Iterator[Message]:
    """Every record below `ends` (by partition, exclusive), those of a partition in order.

    `compacted`: there may be gaps, at the end too, where the position then
    stops short of it: whatever is silent after some records has ended. Raises
    `TransientError` when the broker does not answer for some ten seconds, and
    what `poll` raises.
    """
    begun = dict(reader.positions)
    idle = 0
    while any(reader.positions[partition] < end for partition, end in ends.items()):
        messages = reader.poll(records, _POLL_S)
        idle = 0 if messages else idle + 1
        if idle > PATIENCE_POLLS:
            if compacted and reader.positions != begun:
                return
            raise TransientError("kafka_unavailable", f"{topic} does not answer at {reader.positions}")
        yield from (message for message in messages if message.offset < ends.get(message.partition, 0))


def read_range(
    bootstrap: Kafka, topic: str, partition: int, begin: int, end: int | None = None, *, compacted: bool = False
) -> Iterator[Message]:
    """The records of one partition from `begin` up to `end`, by default its end at the call; see `drain`."""
    if end is not None and begin >= end:
        return
    reader = PartitionsReader(bootstrap, topic, {partition: begin})
    try:
        ends = reader.end_offsets() if end is None else {partition: end}
        yield from drain(reader, ends, topic=topic, records=10_000, compacted=compacted)
    finally:
        reader.close()


def read_all(bootstrap: Kafka, topic: str, partition: int, end: int | None = None) -> list[Message]:
    """All records from the oldest up to `end`, as `read_range`; for tools and tests, since it holds all in memory."""
    reader = PartitionReader(bootstrap, topic, partition)
    begin = reader.position
    reader.close()
    return list(read_range(bootstrap, topic, partition, begin, end, compacted=True))
