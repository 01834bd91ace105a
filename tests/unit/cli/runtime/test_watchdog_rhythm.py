"""When the watchdog looks, and by what it sees that a part has ended."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from cli.runtime.parts import Part, want
from cli.runtime.processes import Processes
from cli.runtime.watchdog.living import Living
from cli.runtime.watchdog.rhythm import CALM_AFTER_S, CALM_LOOK_S, LOOK_S, Rhythm
from schemas.layout import Layout

COMMAND = [sys.executable, "-c", "import time; time.sleep(600)"]


def looks(rhythm: Rhythm, begin: float, end: float, *, well: bool = True, all_live: bool = True) -> list[float]:
    """Moments of looks, of a process that asks ten times a second."""
    found = []
    for tenth in range(round(10 * begin), round(10 * end)):
        if rhythm.due(tenth / 10, all_live):
            rhythm.looked(tenth / 10, well)
            found.append(tenth / 10)
    return found


def test_it_looks_every_second_until_all_was_well_for_a_while() -> None:
    rhythm = Rhythm()
    assert looks(rhythm, 0, CALM_AFTER_S) == [LOOK_S * number for number in range(int(CALM_AFTER_S / LOOK_S))]
    calm = looks(rhythm, CALM_AFTER_S, CALM_AFTER_S + 10 * CALM_LOOK_S)
    assert 9 <= len(calm) <= 11


def test_a_problem_ends_the_calm() -> None:
    rhythm = Rhythm()
    looks(rhythm, 0, 2 * CALM_AFTER_S)
    at = looks(rhythm, 2 * CALM_AFTER_S, 2 * CALM_AFTER_S + CALM_LOOK_S + 0.1, well=False)[-1]
    assert len(looks(rhythm, at + 0.1, at + 5.1)) == 5


def test_a_part_that_ends_has_it_look_within_a_second() -> None:
    rhythm = Rhythm()
    last = looks(rhythm, 0, 2 * CALM_AFTER_S)[-1]
    assert not rhythm.due(last + LOOK_S, all_live=True)
    assert rhythm.due(last + LOOK_S, all_live=False)


class Home:
    """Parts of a home that sleep, started as the supervisor starts them but by this process."""

    def __init__(self, folder: Path) -> None:
        self.layout = Layout(folder)
        self.processes = Processes(self.layout)
        self.layout.make()
        self.living = Living(self.layout, self.processes)

    def start(self, name: str) -> None:
        self.layout.parts.mkdir(parents=True, exist_ok=True)
        want(self.layout, Part(name=name, command=COMMAND, environment={}))
        self.processes.start(name, COMMAND, {"VITRINE_HOME": str(self.layout.home)})

    def kill(self, name: str) -> None:
        record = self.processes.running(name)
        assert record is not None
        subprocess.run(["kill", "-KILL", str(record.pid)], check=True)
        while self.processes.running(name) is not None:
            pass


@pytest.fixture
def home(tmp_path: Path) -> Iterator[Home]:
    home = Home(tmp_path)
    yield home
    for name in home.processes.names():
        home.processes.stop(name, grace_s=1.0)


def test_part_that_was_killed_is_missed_until_another_runs_in_its_place(home: Home) -> None:
    home.start("kafka")
    home.start("broker")
    assert home.living.all_live()
    assert home.living.all_live()
    home.kill("broker")
    assert not home.living.all_live()
    assert not home.living.all_live()
    home.start("broker")
    assert home.living.all_live()


@pytest.mark.parametrize("anew", [False, True])
def test_part_that_was_replaced_between_two_looks_is_missed_once(home: Home, anew: bool) -> None:
    home.start("kafka")
    assert home.living.all_live()
    home.kill("kafka")
    home.start("kafka")
    if anew:
        home.living.look_anew()
    assert not home.living.all_live()
    assert home.living.all_live()


def test_part_that_has_been_added_and_does_not_run_is_missed_at_the_next_look(home: Home) -> None:
    home.start("kafka")
    assert home.living.all_live()
    want(home.layout, Part(name="broker", command=COMMAND, environment={}))
    home.living.look_anew()
    assert not home.living.all_live()
    home.start("broker")
    assert home.living.all_live()
