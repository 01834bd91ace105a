"""How long after a SIGKILL the answer is fresh again, for each part, with nobody there to mend it.

The part is killed. From then on, until the killed part is there again, the
streaming job runs, and a search finds a product by a picture that nobody had
seen before and that was put into the log after the kill, in an answer that is
whole and younger than the kill. The time includes writing the event, fetching
and embedding the picture, the search, and the poll (`POLL_S`).

With `--kills 1 --parts kafka,broker` for a quick look.
"""

from __future__ import annotations

import argparse
import io
import json
import os
import signal
import statistics
import sys
import time
from collections.abc import Callable
from datetime import datetime
from functools import partial
from pathlib import Path
from typing import Any

import httpx
import psutil
from PIL import Image

from benchmarks.harness.result import write_result
from benchmarks.harness.system import FIRST_PORT, BenchSystem, bench_settings, temporary_home
from cli.runtime.flink.access import FlinkAccess
from cli.runtime.flink.job import job_runs
from cli.runtime.flink.parts import JOB_MANAGER, TASK_MANAGER
from cli.runtime.kafka import NAME as KAFKA
from cli.runtime.services import BLENDER, BROKER, HEARTBEAT, searcher_name
from cli.runtime.supervisor import NAME as SUPERVISOR
from cli.runtime.watchdog.state import NAME as WATCHDOG
from messaging.producer import EventProducer
from schemas.errors import OperatorError, TransientError
from schemas.topics import PRODUCT_EVENTS

PORT = FIRST_PORT + 300
POLL_S = 0.05
LIMIT_S = 300.0
REST_S = 25.0
"""Between two kills: a part that lived for less than the supervisor's `SETTLED_S` is restarted more slowly."""

WORKER = "python-worker"
TARGETS_S = {
    searcher_name(0, 0): 5,
    BROKER: 5,
    HEARTBEAT: 5,
    BLENDER: 10,
    KAFKA: 20,
    WORKER: 20,
    TASK_MANAGER: 30,
    JOB_MANAGER: 30,
    SUPERVISOR: None,
    WATCHDOG: None,
}


class Recovery:
    """Kills parts of a running system and waits until it answers freshly."""

    def __init__(self, system: BenchSystem, home: Path) -> None:
        self._system = system
        self._home = home
        self._products = 0
        self._picture = b""

    def begin(self) -> None:
        """One product has gone all the way: caches are warm."""
        self._produced(self._next_product())
        self._until("the first product is found", lambda: self._fresh(0.0))

    def killed(self, part: str) -> float:
        """Seconds from the SIGKILL to the fresh answer."""
        before = self._pids(part)
        event = self._next_product()
        began, began_unix = time.monotonic(), time.time()
        for pid in before:
            os.kill(pid, signal.SIGKILL)
        # Of the Python workers one notices its death at once; one without work does with the next record.
        self._until(f"{part} is there again", lambda: bool(self._pids(part) - before))
        self._until("the job runs", lambda: job_runs(FlinkAccess.of(self._system.settings)))
        self._until("an event can be written", lambda: self._produced(event))
        self._until("the answer is fresh", lambda: self._fresh(began_unix))
        return time.monotonic() - began

    def _next_product(self) -> dict[str, Any]:
        """A new product with a picture that nobody has seen."""
        self._products += 1
        made = io.BytesIO()
        Image.effect_noise((128, 128), 80).convert("RGB").save(made, "PNG")
        self._picture = made.getvalue()
        file = self._home / f"recovery-{self._products}.png"
        file.write_bytes(self._picture)
        return {
            "type": "product_added",
            "product_id": self._product_id,
            "product": {"title": "recovery"},
            "images": [{"url": file.as_uri()}],
        }

    @property
    def _product_id(self) -> str:
        return f"recovery-{self._products}"

    def _pids(self, part: str) -> set[int]:
        running = self._system.runtime.running()
        if part != WORKER:
            return {running[part]} if part in running else set()
        try:
            children = psutil.Process(running[TASK_MANAGER]).children(recursive=True)
            return {child.pid for child in children if "pyflink.fn_execution.beam.beam_boot" in _command(child)}
        except (KeyError, psutil.NoSuchProcess):
            return set()

    def _produced(self, event: dict[str, Any]) -> bool:
        try:
            with EventProducer(self._system.settings.kafka) as producer:
                producer.send(PRODUCT_EVENTS, self._product_id.encode(), json.dumps(event).encode())
        except TransientError:
            return False
        return True

    def _fresh(self, after_s: float) -> bool:
        """Whether a search by the picture finds its product, in a whole answer younger than `after_s` (Unix)."""
        try:
            response = httpx.post(
                f"{self._system.settings.blender.url}/v1/search/image",
                params={"limit": 5},
                files={"image": ("photo.png", self._picture)},
                timeout=10,
                trust_env=False,
            )
        except httpx.HTTPError:
            return False
        if response.status_code != 200:
            return False
        answer = response.json()
        found = self._product_id in [result["product_id"] for result in answer["results"]]
        return found and not answer["partial"] and _unix(answer["watermark"]) > after_s

    def _until(self, what: str, done: Callable[[], bool]) -> None:
        deadline = time.monotonic() + LIMIT_S
        while not done():
            if time.monotonic() > deadline:
                raise OperatorError(f"not within {LIMIT_S:.0f} s: {what}; logs: {self._system.runtime.log_folder()}")
            time.sleep(POLL_S)


def _command(process: psutil.Process) -> str:
    try:
        return " ".join(process.cmdline())
    except psutil.NoSuchProcess:
        return ""


def _unix(moment: str | None) -> float:
    return 0.0 if moment is None else datetime.fromisoformat(moment).timestamp()


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.stream.recovery", description=__doc__.splitlines()[0])
    parser.add_argument("--kills", type=int, default=5, help="of each part (5)")
    parser.add_argument("--parts", default=",".join(TARGETS_S), help="which, separated by commas (all)")
    parser.add_argument("--first-port", type=int, default=PORT, help=f"of the ports ({PORT})")
    parser.add_argument("--name", default="recovery", help="of the result (recovery)")
    arguments = parser.parse_args()
    parts = arguments.parts.split(",")
    figures: dict[str, Any] = {}
    # Fresh again is told by the watermark, which is as coarse as heartbeats are: here they do not rest.
    settings = partial(bench_settings, heartbeat_rest_interval_ms=500)
    with temporary_home() as home, BenchSystem(settings(home, arguments.first_port)).running() as system:
        recovery = Recovery(system, home)
        recovery.begin()
        for part in parts:
            seconds = []
            for _ in range(arguments.kills):
                time.sleep(REST_S)
                seconds.append(round(recovery.killed(part), 2))
                system.progress.say(f"{part}: fresh again after {seconds[-1]} s")
            figures[part] = {
                "target_s": TARGETS_S[part],
                "median_s": round(statistics.median(seconds), 2),
                "max_s": max(seconds),
                "each_s": seconds,
            }
    write_result(arguments.name, {"kills": arguments.kills, "rest_s": REST_S, "poll_s": POLL_S}, figures)
    return 0


if __name__ == "__main__":
    sys.exit(main())
