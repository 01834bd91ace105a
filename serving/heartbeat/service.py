"""Writes heartbeats into the log, so that the watermark moves on when the shop is quiet."""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import Callable
from typing import Any, Protocol

import msgspec

from schemas.errors import TransientError
from schemas.events.event import Heartbeat
from schemas.topics import PRODUCT_EVENTS
from serving.heartbeat.rest import Rest

log = logging.getLogger(__name__)

_encoder = msgspec.json.Encoder()


class Producer(Protocol):
    """What the beat needs of `messaging.producer.EventProducer`."""

    def send(
        self, topic: str, key: bytes | None, value: bytes | None, partition: int | None = ..., delivered: Any = ...
    ) -> None: ...

    def flush(self, timeout_s: float = ...) -> None: ...

    def __len__(self) -> int: ...


class HeartbeatService:
    """One heartbeat per partition and interval; through an outage it keeps at most one round waiting.

    `rest_interval_s`: the interval while nobody else writes (`Rest`), where it is the longer one. A watermark is
    older then, never further than what is true; `clock` is a monotonic one.
    """

    def __init__(
        self,
        producer: Producer,
        partitions: int,
        interval_s: float,
        rest_interval_s: float = 0.0,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._producer = producer
        self._partitions = partitions
        self._interval_s = interval_s
        self._rest_interval_s = max(interval_s, rest_interval_s)
        self._clock = clock
        self._rest = Rest()
        self._refused = ""
        self._away = False

    @property
    def interval_s(self) -> float:
        """Seconds from the last round to the next one."""
        return self._rest_interval_s if self._rest.rests(self._clock()) else self._interval_s

    async def run(self, stop: asyncio.Event) -> None:
        """Beats until `stop` is set."""
        loop = asyncio.get_running_loop()
        while not stop.is_set():
            began = loop.time()
            # In a thread: waiting for an absent broker must not hold up the stop signal.
            await asyncio.to_thread(self.beat)
            rest_s = self.interval_s - (loop.time() - began)
            try:
                await asyncio.wait_for(stop.wait(), max(rest_s, 0.001))
            except TimeoutError:
                continue

    def beat(self) -> None:
        """Writes one heartbeat to every partition, unless the last ones still wait for Kafka."""
        try:
            if len(self._producer) == 0:
                for partition in range(self._partitions):
                    value = _encoder.encode(Heartbeat(partition=partition))
                    self._producer.send(PRODUCT_EVENTS, None, value, partition, self._delivered)
            self._producer.flush(max(1.0, self._interval_s))
            refused, self._refused = self._refused, ""
            if refused:
                raise TransientError("kafka_unavailable", f"a heartbeat was not written: {refused}")
        except TransientError as error:
            if not self._away:
                self._away = True
                log.warning("event=heartbeat_not_written next=keeps_trying problem=%s", error)
            return
        if self._away:
            self._away = False
            log.info("event=heartbeat_resumed")

    def _delivered(self, error: object, message: Any) -> None:
        """Called by the producer, within `send` and `flush`."""
        if error is not None:
            self._refused = str(error)
        else:
            self._rest.note(message.partition(), message.offset(), self._clock())
