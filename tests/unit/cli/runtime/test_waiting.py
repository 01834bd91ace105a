"""Waiting: ends early when the process that is waited for does not stay up, and at the limit."""

from __future__ import annotations

import io
import os
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from cli.runtime.processes import Processes
from cli.runtime.progress import Progress
from cli.runtime.waiting import wait_until
from schemas.errors import OperatorError
from schemas.layout import Layout

SLEEPS = "import time; time.sleep(600)"
FAILS = "raise SystemExit('ConfigError: no such shelf')"


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


def test_process_that_ends_again_and_again_is_reported_with_its_last_words(processes: Processes) -> None:
    def started_again() -> bool:
        start(processes, FAILS)
        return False

    with pytest.raises(OperatorError, match="part ended while starting, and again: ConfigError: no such shelf"):
        wait_until(
            started_again, "it", processes=processes, names=["part"], progress=Progress(io.StringIO()), timeout_s=60
        )


def test_one_death_is_the_supervisors_to_mend(processes: Processes) -> None:
    codes = [FAILS, SLEEPS]

    def up_at_last() -> bool:
        if processes.running("part") is None:
            start(processes, codes.pop(0))
        return not codes

    wait_until(up_at_last, "it", processes=processes, names=["part"], progress=Progress(io.StringIO()), timeout_s=60)


def test_part_that_the_supervisor_has_given_up_is_reported(processes: Processes) -> None:
    processes.log_file("part").write_text("ValueError: the shelf is empty\n")
    with pytest.raises(OperatorError, match=r"part ended while starting, each time .*the shelf is empty"):
        wait_until(
            lambda: False,
            "it",
            processes=processes,
            names=["part"],
            progress=Progress(io.StringIO()),
            timeout_s=60,
            given_up=lambda names: names[0],
        )


def test_limit_is_reported_with_what_was_waited_for(processes: Processes) -> None:
    start(processes, SLEEPS)
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
    start(processes, SLEEPS)
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
