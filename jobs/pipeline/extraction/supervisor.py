"""The parent's side of the extraction process: hands images over, restarts it when it dies, finds who killed it."""

from __future__ import annotations

import logging
import os
import queue
import subprocess
import sys
import threading
from collections import deque
from typing import BinaryIO, cast

from jobs.pipeline.extraction.protocol import (
    Broken,
    Configure,
    Embed,
    Embedded,
    Failed,
    Fetch,
    Fetched,
    Forget,
    Held,
    Order,
    PutOff,
    Ready,
    Report,
    receive_report,
    send,
)
from schemas.errors import CorruptError, OperatorError
from vision.environment import MALLOC_ENV

MAX_DEATHS = 2
"""With the second death, alone in the network this time, an image is given up."""
MAX_FRUITLESS_DEATHS = 5
"""So many in a row without a single image done are no image's fault. More than `MAX_DEATHS`."""
CRASHES = "image_crashes_decoder"
"""Reason of the images that are given up."""

log = logging.getLogger(__name__)


News = Fetched | Embedded | Failed | Held | PutOff
"""What is to be known of single images."""


class _Died:
    """In the queue of reports: the process with this number ended."""

    def __init__(self, number: int) -> None:
        self.number = number


class ChildSupervisor:
    """Owned by one thread, which calls everything; a second one only reads the pipe.

    After a death everything under way is fetched again, but as long as one of
    the images that the dead process was decoding or embedding is among it,
    images go to the network one at a time: then the one that kills the
    process is known, and only that one is given up.
    """

    def __init__(self, configure: Configure, arrived: threading.Event | None = None) -> None:
        """Starts the process and returns at once.

        `arrived` is set when there is a report to read, for an owner of several.
        """
        self._arrived = threading.Event() if arrived is None else arrived
        self._configure = configure
        self._reports: queue.Queue[Report | _Died] = queue.Queue()
        self._under_way: dict[bytes, str] = {}
        self._to_embed: deque[bytes] = deque()
        self._embedding: set[bytes] = set()
        self._suspects: set[bytes] = set()
        self._deaths: dict[bytes, int] = {}
        self._number = 0
        self._fruitless_deaths = 0
        self.restarts = -1
        self.ready = False
        self._start()

    def _start(self) -> None:
        self._number += 1
        self.restarts += 1
        self.ready = False
        self._process = subprocess.Popen(
            [sys.executable, "-m", "jobs.pipeline.extraction.child"],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            # A job submitted with its Python files has them on this process's path alone.
            env={**os.environ, **MALLOC_ENV, "PYTHONPATH": os.pathsep.join(path for path in sys.path if path)},
        )
        stdout = cast(BinaryIO, self._process.stdout)
        threading.Thread(target=self._read, args=(stdout, self._number), name="extraction-reports", daemon=True).start()
        self._send(self._configure)
        log.info("event=extraction_process_started pid=%d", self._process.pid)

    @property
    def pid(self) -> int:
        return self._process.pid

    def _read(self, stream: BinaryIO, number: int) -> None:
        try:
            while (report := receive_report(stream)) is not None:
                self._reports.put(report)
                self._arrived.set()
        except CorruptError:
            log.exception("event=extraction_report_unreadable")  # the process is ended and replaced
        finally:
            stream.close()
            self._reports.put(_Died(number))
            self._arrived.set()

    def _send(self, order: Order) -> None:
        try:
            send(cast(BinaryIO, self._process.stdin), order)
        except (BrokenPipeError, ValueError):
            log.debug("event=extraction_process_gone")  # its death is in the queue of reports, or will be

    def fetch(self, key: bytes, url: str) -> None:
        """Begins with an image that is not under way."""
        self._under_way[key] = url
        self._send(Fetch(key, url))

    def embed(self, key: bytes) -> None:
        """Goes on with a fetched image, at once or when those before it are done."""
        self._to_embed.append(key)
        self._embed_next()

    def forget(self, key: bytes) -> None:
        """The fetched image is known by its content."""
        self._done(key)
        self._send(Forget(key))

    def knows(self, key: bytes) -> bool:
        """Whether the image is under way."""
        return key in self._under_way

    def reports(self, timeout_s: float) -> list[News]:
        """What has happened; waits for the first. Raises `OperatorError` when the network cannot be loaded."""
        found: list[News] = []
        wait = timeout_s > 0
        while True:
            try:
                report = self._reports.get(wait, timeout_s) if wait else self._reports.get_nowait()
            except queue.Empty:
                return found
            wait = False
            match report:
                case _Died():
                    if report.number == self._number:
                        # What the dead process had fetched is lost, and fetched again; what it had finished counts.
                        # Returned at once: what the new process says must not mix with what the old one said.
                        return [*(each for each in found if not isinstance(each, Fetched)), *self._restart()]
                case Ready(extractor_id):
                    self.ready = True
                    log.info("event=extraction_process_ready extractor=%s", extractor_id)
                case Broken(detail):
                    raise OperatorError(f"the extraction process cannot start: {detail}")
                case Fetched(key) | Held(key):
                    if key in self._under_way:  # else of a process that died since
                        found.append(report)
                case PutOff(key):
                    if key in self._under_way:
                        self._done(key)
                        found.append(report)
                case Embedded(key) | Failed(key):
                    if key in self._under_way:
                        self._fruitless_deaths = 0
                        self._done(key)
                        found.append(report)

    def _done(self, key: bytes) -> None:
        self._under_way.pop(key, None)
        self._embedding.discard(key)
        self._suspects.discard(key)
        self._deaths.pop(key, None)
        self._embed_next()

    def _embed_next(self) -> None:
        while self._to_embed and not (self._suspects and self._embedding):
            key = self._to_embed.popleft()
            self._embedding.add(key)
            self._send(Embed(key))

    def _restart(self) -> list[Failed]:
        self._end()
        code = self._process.returncode
        self._fruitless_deaths += 1
        if self._fruitless_deaths >= MAX_FRUITLESS_DEATHS:
            raise OperatorError(
                f"the extraction process ended {MAX_FRUITLESS_DEATHS} times in a row without a result "
                f"(last exit code {code}): see its messages in the task manager's log, and whether memory suffices"
            )
        log.warning(
            "event=extraction_process_died exit=%d under_way=%d embedding=%d",
            code,
            len(self._under_way),
            len(self._embedding),
        )
        given_up: list[Failed] = []
        for key in self._embedding:
            deaths = self._deaths[key] = self._deaths.get(key, 0) + 1
            if deaths >= MAX_DEATHS and len(self._embedding) == 1:
                detail = (
                    f"{self._under_way.pop(key)}: the extraction process died {deaths} times on this image "
                    f"(last exit code {code}); look at the image, or at the machine's memory"
                )
                del self._deaths[key]
                self._suspects.discard(key)
                given_up.append(Failed(key, CRASHES, detail, True))
                self._fruitless_deaths = 0
            else:
                self._suspects.add(key)
        self._embedding.clear()
        self._to_embed.clear()
        self._start()
        for key, url in self._under_way.items():
            self._send(Fetch(key, url))
        return given_up

    def _end(self) -> None:
        """The process has no state to save."""
        self._process.kill()
        self._process.wait()
        try:
            cast(BinaryIO, self._process.stdin).close()
        except BrokenPipeError:
            log.debug("event=extraction_process_gone")  # an order was on its way to it

    def close(self) -> None:
        """Ends the process; images under way are dropped (their requests are in Kafka)."""
        self._number += 1
        self._end()
