"""Waiting: ends early when the process that is waited for ends, and at the limit."""

from __future__ import annotations

import io
import os
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from cli.runtime.layout import Layout
from cli.runtime.processes import Processes
from cli.runtime.progress import Progress
from cli.runtime.waiting import wait_until
from schemas.errors import OperatorError


@pytest.fixture
def processes(tmp_path: Path) -> Iterator[Processes]:
    layout = Layout(tmp_path)
    layout.make()
    ours = Processes(layout)
    yield ours
    for name in ours.names():
        ours.stop(name, grace_s=0.2)


def start(processes: Processes, code: str) -> None:
    processes.start("part", [sys.executable, "-c", code], dict(os.environ))


def test_death_of_the_process_is_reported_with_its_last_words(processes: Processes) -> None:
    start(processes, "raise SystemExit('ConfigError: no such shelf')")
    with pytest.raises(OperatorError, match="part ended while starting: ConfigError: no such shelf"):
        wait_until(
            lambda: False, "it", processes=processes, names=["part"], progress=Progress(io.StringIO()), timeout_s=60
        )


def test_limit_is_reported_with_what_was_waited_for(processes: Processes) -> None:
    start(processes, "import time; time.sleep(600)")
    with pytest.raises(OperatorError, match=r"part was not ready within 0 s \(the bell\)"):
        wait_until(
            lambda: False,
            "the bell",
            processes=processes,
            names=["part"],
            progress=Progress(io.StringIO()),
            timeout_s=0.2,
        )


def test_returns_once_ready(processes: Processes) -> None:
    start(processes, "import time; time.sleep(600)")
    answers = iter((False, False, True))
    wait_until(
        lambda: next(answers), "it", processes=processes, names=["part"], progress=Progress(io.StringIO()), timeout_s=60
    )
    assert next(answers, "used up") == "used up"


def test_waiting_is_said_from_time_to_time_only() -> None:
    now = [0.0]
    out = io.StringIO()
    progress = Progress(out, clock=lambda: now[0])
    for second in range(25):
        now[0] = float(second)
        progress.waiting("Kafka")
    assert out.getvalue().count("still waiting for Kafka") == 2
