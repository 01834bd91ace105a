"""The supervisor with parts that only sleep: what dies comes back, and its own death leaves nothing uncontrolled."""

from __future__ import annotations

import signal
import stat
import sys
from collections.abc import Iterator
from pathlib import Path

import psutil
import pytest

from cli.runtime.environment import settings_environment
from cli.runtime.parts import Part, wanted
from cli.runtime.processes import Processes
from cli.runtime.supervisor import NAME as SUPERVISOR
from cli.runtime.supervisor import Supervisor
from schemas.settings import Settings, load_settings
from tests.system import eventually

pytestmark = pytest.mark.integration

SLEEPS = "print('up', flush=True); import time; time.sleep(600)"
FAILS = "raise SystemExit('ConfigError: no such shelf')"
PARENT = (
    "import subprocess, sys, time\n"
    "child = subprocess.Popen([sys.executable, '-c', 'import time; time.sleep(600)'])\n"
    "print(child.pid, flush=True)\n"
    "time.sleep(600)"
)


class Home:
    """A supervisor, quick to call a part settled and to give it up."""

    def __init__(self, folder: Path) -> None:
        self.settings: Settings = load_settings({}, home=str(folder))
        self.layout = self.settings.layout
        self.processes = Processes(self.layout)
        self.supervisor = Supervisor(self.settings, self.layout, self.processes, settled_s=1, tries=1)

    def part(self, name: str, code: str = SLEEPS) -> Part:
        environment = settings_environment(self.settings)
        return Part(name=name, command=[sys.executable, "-c", code], environment=environment)

    def pid(self, name: str) -> int | None:
        record = self.processes.running(name)
        return None if record is None else record.pid

    def up(self, name: str, other_than: int | None = None) -> int:
        """Its process id, once it runs (under another one than that)."""

        def pid() -> int | None:
            found = self.pid(name)
            return found if found != other_than and "up" in self.log(name) else None

        return eventually(pid, f"{name} runs")

    def settled(self, name: str) -> None:
        eventually(lambda: self.supervisor.states()[name].state == "RUNNING", f"{name} has settled")

    def log(self, name: str) -> str:
        file = self.processes.log_file(name)
        return file.read_text() if file.exists() else ""

    def stop(self) -> None:
        for name in wanted(self.layout):
            self.supervisor.end(name)
        self.supervisor.shut_down()


@pytest.fixture
def home(tmp_path: Path) -> Iterator[Home]:
    home = Home(tmp_path / "with space and %" / ("long-" * 30))
    try:
        home.supervisor.ensure()
        yield home
    finally:
        home.stop()


def test_killed_part_comes_back_and_what_it_left_behind_is_gone(home: Home) -> None:
    assert home.supervisor.begin([home.part("parent", PARENT + "  # up")]) == ["parent"]
    child = psutil.Process(int(eventually(lambda: home.log("parent").split(), "the child's id is printed")[0]))
    home.settled("parent")
    first = home.pid("parent")
    home.processes.signal("parent", signal.SIGKILL)
    eventually(lambda: home.pid("parent") not in (None, first), "the part is restarted")
    assert not child.is_running() or child.status() == psutil.STATUS_ZOMBIE
    record = home.processes.record("parent")
    assert record is not None
    assert len(record.starts) == 2


def test_part_that_never_stays_up_is_given_up_and_a_person_may_try_again(home: Home) -> None:
    # On a busy machine an interpreter takes seconds to fail: that is no settled life.
    home.supervisor = Supervisor(home.settings, home.layout, home.processes, settled_s=60, tries=1)
    home.supervisor.begin([home.part("broken", FAILS)])
    assert eventually(lambda: home.supervisor.given_up(["broken"]), "the part is given up") == "broken"
    assert home.log("broken").count("no such shelf") == 2
    assert home.supervisor.begin([home.part("broken")]) == ["broken"]
    home.up("broken")
    assert home.supervisor.given_up(["broken"]) is None


def test_beginning_what_runs_changes_nothing(home: Home) -> None:
    home.supervisor.begin([home.part("sleeper")])
    before = home.up("sleeper")
    assert not home.supervisor.ensure()
    assert home.supervisor.begin([home.part("sleeper")]) == []
    assert home.pid("sleeper") == before


def test_part_that_was_ended_stays_ended_until_it_is_begun_again(home: Home) -> None:
    home.supervisor.begin([home.part("sleeper"), home.part("other")])
    before, other = home.up("sleeper"), home.up("other")
    assert home.supervisor.end("sleeper")
    assert wanted(home.layout) == ["other"]
    home.processes.signal(SUPERVISOR, signal.SIGKILL)
    eventually(lambda: not home.supervisor.running(), "the supervisor is gone")
    home.supervisor.ensure()
    assert home.pid("sleeper") is None
    assert home.supervisor.begin([home.part("sleeper")]) == ["sleeper"]
    again = home.up("sleeper", before)
    assert home.supervisor.end("sleeper")
    assert home.supervisor.begin([home.part("sleeper")]) == ["sleeper"]
    assert home.up("sleeper", again) not in (before, again)
    assert home.pid("other") == other


def test_parts_of_a_killed_supervisor_live_on_and_are_adopted_by_the_next(home: Home) -> None:
    home.supervisor.begin([home.part("sleeper"), home.part("other")])
    sleeper, other = home.up("sleeper"), home.up("other")
    home.processes.signal(SUPERVISOR, signal.SIGKILL)
    eventually(lambda: not home.supervisor.running(), "the supervisor is gone")
    home.processes.signal("other", signal.SIGKILL)
    assert home.supervisor.ensure()
    assert home.up("other", other) != other
    eventually(lambda: "is adopted" in home.log("sleeper"), "the sleeper is adopted")
    assert home.pid("sleeper") == sleeper
    home.settled("sleeper")
    home.processes.signal("sleeper", signal.SIGKILL)
    assert home.up("sleeper", sleeper) != sleeper


def test_adopted_part_ends_like_any_other(home: Home) -> None:
    home.supervisor.begin([home.part("sleeper")])
    process = psutil.Process(home.up("sleeper"))
    home.processes.signal(SUPERVISOR, signal.SIGKILL)
    eventually(lambda: not home.supervisor.running(), "the supervisor is gone")
    home.supervisor.ensure()
    eventually(lambda: "is adopted" in home.log("sleeper"), "the sleeper is adopted")
    assert home.supervisor.end("sleeper")
    assert not process.is_running() or process.status() == psutil.STATUS_ZOMBIE
    assert wanted(home.layout) == []
    assert home.supervisor.shut_down()
    assert home.processes.names() == []


def test_parts_without_a_supervisor_are_ended_all_the_same(home: Home) -> None:
    home.supervisor.begin([home.part("sleeper")])
    home.up("sleeper")
    home.processes.signal(SUPERVISOR, signal.SIGKILL)
    eventually(lambda: not home.supervisor.running(), "the supervisor is gone")
    assert home.supervisor.end("sleeper")
    assert home.pid("sleeper") is None


def test_supervisor_listens_on_its_users_socket_alone(home: Home) -> None:
    connections = psutil.Process(home.pid(SUPERVISOR)).net_connections(kind="inet")
    assert connections == []
    assert stat.S_IMODE((home.layout.run / "supervisor.sock").stat().st_mode) == 0o700
    home.supervisor.begin([home.part("sleeper")])
    assert stat.S_IMODE((home.layout.parts / "sleeper.json").stat().st_mode) == 0o600
