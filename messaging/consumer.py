"""Reading partitions by offsets of one's own."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, NamedTuple

from confluent_kafka import Consumer, KafkaError, KafkaException, TopicPartition

from messaging.access import client_options
from messaging.producer import _quiet
from schemas.access.kafka import Kafka
from schemas.errors import OperatorError, TransientError
from schemas.trace_context import TRACEPARENT


class Message(NamedTuple):
    """One record of a partition. `trace`: its header (`schemas/trace_context.py`), where that is read."""

    key: bytes | None
    value: bytes | None
    offset: int
    timestamp_ms: int
    partition: int = 0
    trace: bytes | None = None


class PartitionsReader:
    """Reads some partitions of one topic, each from an offset on; no consumer group, nothing is committed.

    Owned by one thread. Reads committed records only. An offset None: from the
    oldest record that the partition still holds. Records of one partition come
    in order; between partitions there is none. `traced`: headers are read.
    """

    def __init__(
        self, bootstrap: Kafka, topic: str, offsets: Mapping[int, int | None], *, traced: bool = False
    ) -> None:
        self._traced = traced
        self._consumer = Consumer(
            {
                **client_options(bootstrap),
                "group.id": "vitrine-reader",
                "enable.auto.commit": False,
                "enable.auto.offset.store": False,
                "auto.offset.reset": "error",
                "fetch.wait.max.ms": 500,
                "fetch.error.backoff.ms": 50,
                "fetch.message.max.bytes": 16 * 1024 * 1024,
                "queued.max.messages.kbytes": 65_536,
                "isolation.level": "read_committed",
            },
            logger=_quiet,
        )
        self._topic = topic
        self.positions: dict[int, int] = {}
        """The next offset, by partition."""
        try:
            for partition, offset in offsets.items():
                self.positions[partition] = self._watermarks(partition, 10.0)[0] if offset is None else offset
        except TransientError:
            self._consumer.close()
            raise
        self._consumer.assign([TopicPartition(topic, *position) for position in self.positions.items()])

    def poll(self, max_records: int = 1000, timeout_s: float = 0.1) -> list[Message]:
        """Up to `max_records`; returns as soon as one is there, empty after `timeout_s`.

        Raises `OperatorError` when a position is no longer in the topic;
        a broker that is away is waited for, not raised.
        """
        found: list[Message] = []
        batch = self._consumer.consume(1, timeout_s)
        if batch and max_records > 1:
            batch += self._consumer.consume(max_records - 1, 0)
        for record in batch:
            partition, error = record.partition() or 0, record.error()
            if error is not None:
                self._raise_if_lost(partition, error)
                continue
            offset = record.offset() or 0
            trace = _trace_of(record.headers()) if self._traced else None
            found.append(Message(record.key(), record.value(), offset, record.timestamp()[1], partition, trace))
            self.positions[partition] = offset + 1
        return found

    def _raise_if_lost(self, partition: int, error: KafkaError) -> None:
        where = f"{self._topic}/{partition}"
        if error.code() in (KafkaError._AUTO_OFFSET_RESET, KafkaError.OFFSET_OUT_OF_RANGE, KafkaError._NO_OFFSET):
            raise OperatorError(
                f"{where} no longer holds offset {self.positions.get(partition)}; "
                "take the latest full index or snapshot, or rebuild from the log (vitrine --help)"
            )
        if error.code() in (KafkaError.UNKNOWN_TOPIC_OR_PART, KafkaError._UNKNOWN_TOPIC, KafkaError._UNKNOWN_PARTITION):
            raise OperatorError(f"{where} does not exist; create the topics with vitrine start")

    def _watermarks(self, partition: int, timeout_s: float) -> tuple[int, int]:
        try:
            low, high = self._consumer.get_watermark_offsets(
                TopicPartition(self._topic, partition), timeout=timeout_s, cached=False
            )
        except KafkaException as error:
            raise TransientError("kafka_unavailable", f"offsets of {self._topic}/{partition}: {error}") from error
        return int(low), int(high)

    def beginning_offsets(self, timeout_s: float = 10.0) -> dict[int, int]:
        """Offsets of the oldest records kept, by partition. Raises `TransientError` when the broker does not answer."""
        return {partition: self._watermarks(partition, timeout_s)[0] for partition in self.positions}

    def end_offsets(self, timeout_s: float = 10.0) -> dict[int, int]:
        """Offsets that the next records will get, by partition. Raises `TransientError` as `beginning_offsets` does."""
        return {partition: self._watermarks(partition, timeout_s)[1] for partition in self.positions}

    def told_ends(self) -> dict[int, int]:
        """`end_offsets` as the latest answers to fetches told them: half a second old at most while the broker answers.

        Nobody is asked, so that it never waits: a broker that has died holds up
        a question until its time limit, and with it whoever reads. Of a
        partition that nothing was told of yet: its position.
        """
        return {partition: max(position, self._told_end(partition)) for partition, position in self.positions.items()}

    def _told_end(self, partition: int) -> int:
        """Below 0 where nothing was told."""
        return int(self._consumer.get_watermark_offsets(TopicPartition(self._topic, partition), cached=True)[1])

    def close(self) -> None:
        self._consumer.close()


def _trace_of(headers: Any) -> bytes | None:
    """`headers`: pairs of a name and a value in bytes, or None."""
    return next((value for name, value in headers or () if name == TRACEPARENT), None)


class PartitionReader:
    """A `PartitionsReader` of one partition."""

    def __init__(self, bootstrap: Kafka, topic: str, partition: int, offset: int | None = None) -> None:
        self._reader = PartitionsReader(bootstrap, topic, {partition: offset})
        self._partition = partition

    @property
    def position(self) -> int:
        """The next offset."""
        return self._reader.positions[self._partition]

    def poll(self, max_records: int = 1000, timeout_s: float = 0.1) -> list[Message]:
        """See `PartitionsReader.poll`."""
        return self._reader.poll(max_records, timeout_s)

    def end_offset(self, timeout_s: float = 10.0) -> int:
        """Offset that the next record will get. Raises `TransientError` when the broker does not answer."""
        return self._reader.end_offsets(timeout_s)[self._partition]

    def close(self) -> None:
        self._reader.close()
