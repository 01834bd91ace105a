"""Writes heartbeats into the log, so that the watermark moves on when the shop is quiet."""

from __future__ import annotations

import asyncio
import logging
from typing import Any, Protocol

import msgspec

from schemas.errors import TransientError
from schemas.events.event import Heartbeat
from schemas.topics import PRODUCT_EVENTS

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
    """One heartbeat per partition and interval; through an outage it keeps at most one round waiting."""

    def __init__(self, producer: Producer, partitions: int, interval_s: float) -> None:
        self._producer = producer
        self._partitions = partitions
        self._interval_s = interval_s
        self._away = False

    async def run(self, stop: asyncio.Event) -> None:
        """Beats until `stop` is set."""
        loop = asyncio.get_running_loop()
        while not stop.is_set():
            began = loop.time()
            # In a thread: waiting for an absent broker must not hold up the stop signal.
            await asyncio.to_thread(self.beat)
            rest_s = self._interval_s - (loop.time() - began)
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
                    self._producer.send(PRODUCT_EVENTS, None, value, partition)
            self._producer.flush(max(1.0, self._interval_s))
        except TransientError as error:
            if not self._away:
                self._away = True
                log.warning("event=heartbeat_not_written next=keeps_trying problem=%s", error)
            return
        if self._away:
            self._away = False
            log.info("event=heartbeat_resumed")
