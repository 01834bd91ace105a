"""Writing to the log."""

from __future__ import annotations

import time
from collections.abc import Callable
from types import TracebackType
from typing import Any

from confluent_kafka import KafkaError, KafkaException, Producer

from messaging.access import client_options
from schemas.access.kafka import Kafka
from schemas.errors import TransientError

Headers = list[tuple[str, Any]]
"""Names, which may come again, and values in bytes."""


class EventProducer:
    """An idempotent producer that places keys as the Java client does (murmur2): every replica in sync has a record.

    `send` only queues; a record is in the log once `flush` returned or its
    `delivered` callback was called without error. Thread-safe.
    """

    def __init__(
        self,
        bootstrap: Kafka,
        *,
        linger_ms: float = 2.0,
        delivery_timeout_s: float = 120.0,
        most_queued: int = 200_000,
        most_queued_kb: int = 1_048_576,
        only_failures: bool = False,
        stamp: Callable[[str], Headers] | None = None,
    ) -> None:
        """`only_failures`: `delivered` is called for records alone that did not get there.

        `stamp` gives the headers of each record that comes without any, by its topic.
        """
        self._stamp = stamp
        self._producer = Producer(
            {
                **client_options(bootstrap),
                "partitioner": "murmur2_random",
                "enable.idempotence": True,
                "acks": "all",
                "linger.ms": linger_ms,
                "delivery.timeout.ms": int(delivery_timeout_s * 1000),
                "message.max.bytes": 16 * 1024 * 1024,
                "queue.buffering.max.messages": most_queued,
                "queue.buffering.max.kbytes": most_queued_kb,
                "delivery.report.only.error": only_failures,
            },
            logger=_quiet,
        )
        self._first_error: KafkaError | None = None

    def send(
        self,
        topic: str,
        key: bytes | None,
        value: bytes | None,
        partition: int | None = None,
        delivered: Callable[[Any, Any], None] | None = None,
        headers: Headers | None = None,
    ) -> None:
        """Queues one record; waits when the queue is full. `delivered(error, message)` runs inside later calls."""
        extra: dict[str, Any] = {} if partition is None else {"partition": partition}
        if headers or self._stamp is not None:
            extra["headers"] = headers or self._stamped(topic)
        while True:
            try:
                self._producer.produce(topic, value=value, key=key, on_delivery=delivered or self._note, **extra)
            except BufferError:
                self._producer.poll(0.1)
                continue
            except KafkaException as error:
                raise TransientError("kafka_unavailable", f"{topic}: {error}") from error
            self._producer.poll(0)
            return

    def offer(self, topic: str, key: bytes, value: bytes, delivered: Callable[[Any, Any], None]) -> bool:
        """Queues one record and never waits; False: there is no room, or the producer has failed for good."""
        try:
            self._producer.produce(topic, value=value, key=key, on_delivery=delivered, headers=self._stamped(topic))
        except (BufferError, KafkaException):
            return False
        self._producer.poll(0)
        return True

    def _stamped(self, topic: str) -> Headers:
        return [] if self._stamp is None else self._stamp(topic)

    def report(self) -> None:
        """Has `delivered` called for what was written or failed since the last call; never waits."""
        self._producer.poll(0)

    def _note(self, error: KafkaError | None, _message: object) -> None:
        if error is not None and self._first_error is None:
            self._first_error = error

    def flush(self, timeout_s: float = 60.0) -> None:
        """Waits until all that was sent is in the log. Raises `TransientError` for what is not."""
        left = self._producer.flush(timeout_s)
        error, self._first_error = self._first_error, None
        if error is not None:
            raise TransientError("kafka_unavailable", f"a record was not written: {_why(error)}")
        if left:
            raise TransientError("kafka_unavailable", f"{left} records not written within {timeout_s:.0f} s")

    def settle(self, timeout_s: float) -> int:
        """Waits as long for what is queued; how many records are still not in the log."""
        return self._producer.flush(timeout_s)

    def __len__(self) -> int:
        """Records queued and not yet in the log."""
        return len(self._producer)

    def __enter__(self) -> EventProducer:
        return self

    def __exit__(self, kind: type[BaseException] | None, _e: BaseException | None, _t: TracebackType | None) -> None:
        if kind is None:
            self.flush()


def _why(error: KafkaError) -> str:
    if error.code() in (KafkaError._MSG_TIMED_OUT, KafkaError.NOT_ENOUGH_REPLICAS):
        return f"{error.str()}: too few of Kafka's brokers are there to take it (vitrine status); it may be in the log"
    return str(error)


class _Quiet:
    """Takes librdkafka's own log lines: outages reach the caller as errors, not as chatter on stderr."""

    def log(self, level: int, message: str, *arguments: object) -> None:
        import logging

        logging.getLogger("messaging.librdkafka").debug(message, *arguments)


_quiet = _Quiet()


def now_ms() -> int:
    """Unix time in milliseconds, as Kafka stamps records."""
    return time.time_ns() // 1_000_000
