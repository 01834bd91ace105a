from __future__ import annotations

import asyncio
import logging
from typing import Any, NamedTuple

import pytest

from schemas.errors import TransientError
from schemas.events.event import Heartbeat, decode_event
from schemas.topics import PRODUCT_EVENTS
from serving.heartbeat.rest import AFTER_S
from serving.heartbeat.service import HeartbeatService


class Receipt(NamedTuple):
    """What Kafka's client calls a record that lies in the log."""

    where: int
    at: int

    def partition(self) -> int:
        return self.where

    def offset(self) -> int:
        return self.at


class MemoryLog:
    """A producer's twin: keeps what it wrote; while `away`, records wait and flush raises.

    `ends`: offset of the next record by partition, which a test moves on where it is to seem that others write.
    `refusal`: what each record's receipt says.
    """

    def __init__(self) -> None:
        self.ends: dict[int, int] = {}
        self.refusal: str | None = None
        self._receipts: list[Any] = []
        self.written: list[tuple[str, bytes | None, bytes | None, int | None]] = []
        self.waiting: list[tuple[str, bytes | None, bytes | None, int | None]] = []
        self.away = False

    def send(
        self, topic: str, key: bytes | None, value: bytes | None, partition: int | None = None, delivered: Any = None
    ) -> None:
        self.waiting.append((topic, key, value, partition))
        self._receipts.append(delivered)

    def flush(self, timeout_s: float = 60.0) -> None:
        if self.away:
            raise TransientError("kafka_unavailable", "no broker")
        for (_, _, _, partition), delivered in zip(self.waiting, self._receipts, strict=True):
            assert partition is not None
            end = self.ends.get(partition, 0)
            self.ends[partition] = end + 1
            delivered(self.refusal, Receipt(partition, end))
        self.written += self.waiting
        self.waiting, self._receipts = [], []

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


class Clock:
    """A monotonic clock that stands until it is moved on."""

    def __init__(self) -> None:
        self.now = 100.0

    def __call__(self) -> float:
        return self.now


def beats_for(heartbeat: HeartbeatService, clock: Clock, seconds: float) -> int:
    """Rounds of so many seconds at the pace that the service keeps."""
    rounds, end = 0, clock.now + seconds
    while clock.now < end:
        heartbeat.beat()
        rounds += 1
        clock.now += heartbeat.interval_s
    return rounds


def test_shop_at_rest_has_fewer_heartbeats_and_its_first_event_brings_them_back() -> None:
    log, clock = MemoryLog(), Clock()
    heartbeat = HeartbeatService(log, 2, 0.5, 2.0, clock)
    assert beats_for(heartbeat, clock, AFTER_S) == AFTER_S / 0.5
    assert beats_for(heartbeat, clock, 20.0) == 10
    log.ends[1] += 1
    heartbeat.beat()
    assert heartbeat.interval_s == 0.5


def test_shop_with_an_event_now_and_then_is_not_at_rest() -> None:
    log, clock = MemoryLog(), Clock()
    heartbeat = HeartbeatService(log, 2, 0.5, 2.0, clock)
    for _ in range(5):
        beats_for(heartbeat, clock, AFTER_S - 1.0)
        log.ends[0] += 1
        assert heartbeat.interval_s == 0.5


def test_rest_is_never_quicker_than_what_is_kept_while_events_come() -> None:
    log, clock = MemoryLog(), Clock()
    heartbeat = HeartbeatService(log, 1, 5.0, 2.0, clock)
    beats_for(heartbeat, clock, 2 * AFTER_S)
    assert heartbeat.interval_s == 5.0


def test_refused_heartbeat_is_said_as_an_outage_is(caplog: pytest.LogCaptureFixture) -> None:
    log = MemoryLog()
    heartbeat = HeartbeatService(log, 1, 0.5)
    log.refusal = "TOPIC_AUTHORIZATION_FAILED"
    with caplog.at_level(logging.INFO):
        heartbeat.beat()
        log.refusal = None
        heartbeat.beat()
    first, second = [record.getMessage() for record in caplog.records]
    assert "event=heartbeat_not_written" in first and "TOPIC_AUTHORIZATION_FAILED" in first
    assert second == "event=heartbeat_resumed"
