"""The heartbeat process: `python -m serving.heartbeat`."""

from __future__ import annotations

import asyncio
import logging

from messaging.producer import EventProducer
from schemas.settings import Settings
from serving.heartbeat.service import HeartbeatService
from serving.process import run_process

log = logging.getLogger(__name__)


def main() -> int:
    return run_process("heartbeat", _serve)


async def _serve(settings: Settings, stop: asyncio.Event) -> None:
    producer = EventProducer(settings.kafka, linger_ms=0, delivery_timeout_s=10)
    partitions = settings.event_partitions
    interval_ms, rest_ms = settings.heartbeat_interval_ms, settings.heartbeat_rest_interval_ms
    heartbeat = HeartbeatService(producer, partitions, interval_ms / 1000, rest_ms / 1000)
    log.info("event=beating partitions=%d interval_ms=%d rest_interval_ms=%d", partitions, interval_ms, rest_ms)
    await heartbeat.run(stop)
