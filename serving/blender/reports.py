"""The search log's figures by day, for whoever runs the shop: read beside the searches, in a process of its own."""

from __future__ import annotations

import asyncio
import os
import time
from collections.abc import Callable
from multiprocessing import get_context
from multiprocessing.connection import Connection

from messaging.producer import now_ms
from schemas.access.kafka import Kafka
from schemas.errors import OperatorError, RejectedError, TransientError, VitrineError
from search_report.reading import SearchReport, read_report
from serving.backend import OVERDUE
from serving.blender.showing.answers import ReportAnswer, rfc3339

MOST_DAYS = 31
WAIT_S = 60.0
"""A log of millions of answers takes longer; it is read on, and answered from when it is asked for again."""
KEPT_S = 10.0
"""Who asks again so soon gets the same report, which says of when it is."""
_NICENESS = 19

Read = Callable[[Kafka, int, int], SearchReport]
"""(log, days, now) -> the report, as `search_report.reading.read_report`."""


class Reports:
    """Reports of the log of `kafka`, one read at a time. Lives on one event loop.

    To decode a day of a busy shop takes a processor for seconds: a process of low
    priority, which ends with its report, leaves the searches alone.
    """

    def __init__(self, kafka: Kafka, *, read: Read = read_report, wait_s: float = WAIT_S) -> None:
        self._kafka = kafka
        self._read = read
        self._wait_s = wait_s
        self._one = asyncio.Lock()
        self._reading: dict[int, asyncio.Task[ReportAnswer]] = {}
        self._kept: dict[int, tuple[float, ReportAnswer]] = {}

    async def of(self, days: int) -> ReportAnswer:
        """The last `days` days in UTC, today included.

        Raises `RejectedError('search_log_off', ...)` where the log has no topics yet, `TransientError` when Kafka does
        not answer or the log is being read still.
        """
        read_at, answer = self._kept.get(days, (0.0, None))
        if answer is not None and time.monotonic() - read_at < KEPT_S:
            return answer
        reading = self._reading.get(days)
        if reading is None:
            reading = self._reading[days] = asyncio.create_task(self._read_days(days))
            reading.add_done_callback(lambda _: self._reading.pop(days, None))
        try:
            async with asyncio.timeout(self._wait_s):
                # The log is read on when who asked has gone, for who asks next.
                return await asyncio.shield(reading)
        except TimeoutError as error:
            raise TransientError(
                OVERDUE, f"the log of {days} days is being read still; ask again in a minute, or for fewer days"
            ) from error

    async def close(self) -> None:
        for reading in list(self._reading.values()):
            reading.cancel()
        await asyncio.gather(*self._reading.values(), return_exceptions=True)

    async def _read_days(self, days: int) -> ReportAnswer:
        async with self._one:
            at_ms = now_ms()
            report = await self._in_a_process(days, at_ms)
            answer = ReportAnswer(at=rfc3339(at_ms) or "", days=report.days, unreadable=report.unreadable)
            self._kept = {days: (time.monotonic(), answer)}
            return answer

    async def _in_a_process(self, days: int, at_ms: int) -> SearchReport:
        context = get_context("spawn")
        here, there = context.Pipe(duplex=False)
        process = context.Process(
            target=_report, args=(there, self._read, self._kafka, days, at_ms), name="search-report", daemon=True
        )
        try:
            await asyncio.to_thread(process.start)
            there.close()
            outcome = await asyncio.to_thread(here.recv)
        except EOFError as error:
            raise TransientError("internal", "the process that reads the log has ended; ask again") from error
        finally:
            # Whoever waits for it hears that it has ended.
            if process.pid is not None:
                process.kill()
        match outcome:
            case OperatorError():
                raise RejectedError("search_log_off", str(outcome))
            case VitrineError():
                raise outcome
        report: SearchReport = outcome
        return report


def _report(answer: Connection, read: Read, kafka: Kafka, days: int, at_ms: int) -> None:
    """The child's whole work."""
    os.nice(_NICENESS)
    try:
        answer.send(read(kafka, days, at_ms))
    except VitrineError as error:
        answer.send(error)
