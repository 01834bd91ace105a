from __future__ import annotations

import asyncio
import logging
from typing import Any

import pytest

from schemas.errors import TransientError
from schemas.events.event import Heartbeat, decode_event
from schemas.topics import PRODUCT_EVENTS
from serving.heartbeat.service import HeartbeatService


class MemoryLog:
    """A producer's twin: keeps what it wrote; while `away`, records wait and flush raises."""

    def __init__(self) -> None:
        self.written: list[tuple[str, bytes | None, bytes | None, int | None]] = []
        self.waiting: list[tuple[str, bytes | None, bytes | None, int | None]] = []
        self.away = False

    def send(
        self, topic: str, key: bytes | None, value: bytes | None, partition: int | None = None, delivered: Any = None
    ) -> None:
        self.waiting.append((topic, key, value, partition))

    def flush(self, timeout_s: float = 60.0) -> None:
        if self.away:
            raise TransientError("kafka_unavailable", "no broker")
        self.written += self.waiting
        self.waiting = []

    def __len__(self) -> int:
        return len(self.waiting)


def test_every_partition_gets_a_heartbeat_that_names_it() -> None:
    log = MemoryLog()
    HeartbeatService(log, 3, 0.5).beat()
    assert [(topic, key, partition) for topic, key, _, partition in log.written] == [
        (PRODUCT_EVENTS, None, partition) for partition in range(3)
    ]
    assert [decode_event(value) for _, _, value, _ in log.written] == [Heartbeat(partition=p) for p in range(3)]


def test_outage_is_said_once_and_outlived_with_one_round_waiting(caplog: pytest.LogCaptureFixture) -> None:
    log = MemoryLog()
    heartbeat = HeartbeatService(log, 2, 0.5)
    log.away = True
    with caplog.at_level(logging.INFO):
        for _ in range(5):
            heartbeat.beat()
        assert len(log) == 2
        log.away = False
        heartbeat.beat()
        heartbeat.beat()
    assert len(log.written) == 4
    events = [record.getMessage().split()[0] for record in caplog.records]
    assert events == ["event=heartbeat_not_written", "event=heartbeat_resumed"]


def test_beats_go_on_until_stopped() -> None:
    log = MemoryLog()

    async def run() -> None:
        stop = asyncio.Event()
        running = asyncio.create_task(HeartbeatService(log, 1, 0.001).run(stop))
        while len(log.written) < 3:
            await asyncio.sleep(0.001)
        stop.set()
        await running

    asyncio.run(run())
    assert len(log.written) >= 3
