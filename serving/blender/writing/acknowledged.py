"""Writing to Kafka for somebody who waits until it is there, on the event loop and without a thread for each."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence
from functools import partial
from typing import Any, NamedTuple

from messaging.producer import EventProducer
from schemas.access.kafka import Kafka
from schemas.errors import TransientError
from tracing.producing import Stamp

WRITE_TIMEOUT_S = 5.0
MOST_QUEUED = 10_000
_FIRST_LOOK_S = 0.001
_LAST_LOOK_S = 0.02


class Written(NamedTuple):
    """Where a record is."""

    partition: int
    offset: int


class AcknowledgedWriter:
    """Connects to `kafka` with the first record. Lives on one event loop. `stamp`: see `EventProducer`."""

    def __init__(self, kafka: Kafka, *, timeout_s: float = WRITE_TIMEOUT_S, stamp: Stamp | None = None) -> None:
        self._stamp = stamp
        self._kafka = kafka
        self._timeout_s = timeout_s
        self._connecting = asyncio.Lock()
        self._producer: EventProducer | None = None
        self._waiting = 0
        self._looking: asyncio.Task[None] | None = None

    async def write(self, topic: str, records: Sequence[tuple[bytes, bytes]], what: str) -> list[Written]:
        """Returns once all of them, keys and values, are in the log. `what`: for the error, what they are.

        Raises `TransientError('kafka_unavailable', ...)` when Kafka has not taken one in time: it may still.
        """
        producer = await self._connected()
        loop = asyncio.get_running_loop()
        futures: list[asyncio.Future[Written]] = []
        for key, value in records:
            future: asyncio.Future[Written] = loop.create_future()
            # Counted until it is told of, which is also where its asker has gone.
            future.add_done_callback(_look_at)
            futures.append(future)
            if producer.offer(topic, key, value, self._noting(future, what)):
                self._waiting += 1
            else:
                future.set_exception(_not_taken(what, "too many records wait for Kafka"))
        if self._waiting and (self._looking is None or self._looking.done()):
            self._looking = asyncio.create_task(self._look(producer))
        try:
            async with asyncio.timeout(self._timeout_s + 1.0):
                return list(await asyncio.gather(*futures))
        except TimeoutError as error:
            raise _not_taken(what, f"nothing heard within {self._timeout_s:.0f} s") from error

    async def _connected(self) -> EventProducer:
        async with self._connecting:
            if self._producer is None:
                connect = partial(EventProducer, self._kafka, linger_ms=0, most_queued=MOST_QUEUED, stamp=self._stamp)
                self._producer = await asyncio.to_thread(connect, delivery_timeout_s=self._timeout_s)
            return self._producer

    def _noting(self, future: asyncio.Future[Written], what: str) -> Callable[[Any, Any], None]:
        def note(error: Any, message: Any) -> None:
            self._waiting -= 1
            if future.done():
                return
            if error is None:
                future.set_result(Written(message.partition(), message.offset()))
            else:
                future.set_exception(_not_taken(what, str(error)))

        return note

    async def _look(self, producer: EventProducer) -> None:
        """Has everybody told who waits, until nobody does; Kafka answers within milliseconds, or not for seconds."""
        wait_s = _FIRST_LOOK_S
        while self._waiting:
            before = self._waiting
            producer.report()
            wait_s = _FIRST_LOOK_S if self._waiting != before else min(_LAST_LOOK_S, wait_s * 1.2)
            await asyncio.sleep(wait_s)


def _look_at(future: asyncio.Future[Written]) -> None:
    """So that asyncio does not complain of an error that nobody fetched: the first one ends the whole write."""
    if not future.cancelled():
        future.exception()


def _not_taken(what: str, problem: str) -> TransientError:
    return TransientError("kafka_unavailable", f"{what} is not in the log: {problem}")
