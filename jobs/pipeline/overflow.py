"""What is too much for one call of a stage: written to Kafka by the stage itself, before the call returns.

What a call returns passes through the task manager whole: a message to it, and
Arrow memory there, both of which have an end. A few long products in one
batch go past it, and with it goes the worker's channel. So a call returns a
bounded number of bytes; of what is beyond, whatever commutes is in the log by
the time the call returns, which is as good as returned: a checkpoint that
counts the batch as done comes later.
"""

from __future__ import annotations

from collections.abc import Callable

from jobs.pipeline.stage import Metrics, Out
from messaging.producer import EventProducer
from schemas.trace_context import TRACEPARENT

MAX_RETURNED_BYTES = 16 * 1024 * 1024


class Overflow:
    """`connect` makes the producer, which nearly no job ever needs. One thread."""

    def __init__(self, connect: Callable[[], EventProducer], metrics: Metrics) -> None:
        self._connect = connect
        self._metrics = metrics
        self._producer: EventProducer | None = None

    def relieve(self, out: list[Out]) -> list[Out]:
        """What the call may return of `out`: all of it, or what must keep its order.

        Raises `TransientError` when Kafka does not take the rest; the task
        then begins again at its last checkpoint.
        """
        size = sum(len(record.value) for record in out)
        if size <= MAX_RETURNED_BYTES:
            return out
        if self._producer is None:
            self._producer = self._connect()
        kept = []
        for record in out:
            if record.commutes:
                headers = [(TRACEPARENT, record.trace)] if record.trace else None
                self._producer.send(record.topic, record.key, record.value, headers=headers)
            else:
                kept.append(record)
        self._producer.flush()
        self._metrics.count("overflowed_records", len(out) - len(kept))
        self._metrics.count("overflowed_bytes", size - sum(len(record.value) for record in kept))
        return kept
