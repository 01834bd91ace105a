"""Process records: what is ours is found and ended, what only has our number is left alone."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import msgspec
import psutil
import pytest

from cli.runtime.processes import Processes, ProcessRecord
from cli.runtime.programs import REPOSITORY
from schemas.errors import OperatorError
from schemas.layout import Layout

SLEEPER = [sys.executable, "-c", "import time; time.sleep(600)"]
STUBBORN = [
    sys.executable,
    "-c",
    "import signal, time; signal.signal(signal.SIGTERM, signal.SIG_IGN); print('up', flush=True); time.sleep(600)",
]
PARENT = [
    sys.executable,
    "-c",
    "import subprocess, sys, time\n"
    "child = subprocess.Popen([sys.executable, '-c', 'import time; time.sleep(600)'])\n"
    "print(child.pid, flush=True)\n"
    "time.sleep(600)",
]


@pytest.fixture
def processes(tmp_path: Path) -> Iterator[Processes]:
    layout = Layout(tmp_path)
    layout.make()
    ours = Processes(layout)
    yield ours
    for name in ours.names():
        ours.stop(name, grace_s=0.2)


def environment(processes: Processes, home: Path) -> dict[str, str]:
    return {**os.environ, "VITRINE_HOME": str(home)}


def gone(pid: int) -> bool:
    try:
        return psutil.Process(pid).status() == psutil.STATUS_ZOMBIE
    except psutil.NoSuchProcess:
        return True


def first_line(processes: Processes, name: str) -> str:
    for _ in range(2400):
        text = processes.log_file(name).read_text()
        if "\n" in text:
            return text.splitlines()[0]
        time.sleep(0.05)
    raise AssertionError(f"{name} printed nothing")


def test_second_start_leaves_the_running_process_alone(processes: Processes, tmp_path: Path) -> None:
    first = processes.start("sleeper", SLEEPER, environment(processes, tmp_path))
    second = processes.start("sleeper", SLEEPER, environment(processes, tmp_path))
    assert first == second


def test_process_has_a_session_of_its_own(processes: Processes, tmp_path: Path) -> None:
    record = processes.start("sleeper", SLEEPER, environment(processes, tmp_path))
    assert os.getsid(record.pid) == record.pid != os.getsid(0)


def test_another_instance_finds_and_stops_the_process(processes: Processes, tmp_path: Path) -> None:
    record = processes.start("sleeper", SLEEPER, environment(processes, tmp_path))
    later = Processes(Layout(tmp_path))
    assert later.running("sleeper") == record
    assert later.stop("sleeper")
    assert processes.running("sleeper") is None
    assert later.names() == []


def test_stop_kills_a_process_that_ignores_sigterm(processes: Processes, tmp_path: Path) -> None:
    record = processes.start("stubborn", STUBBORN, environment(processes, tmp_path))
    assert first_line(processes, "stubborn") == "up"
    assert processes.stop("stubborn", grace_s=0.3)
    assert gone(record.pid)


def test_recycled_process_id_is_not_killed(processes: Processes, tmp_path: Path) -> None:
    stranger = subprocess.Popen(SLEEPER, env=environment(processes, tmp_path), start_new_session=True)
    try:
        record = ProcessRecord(name="old", pid=stranger.pid, created=time.time() - 3600, command=["old"])
        (tmp_path / "run" / "old.json").write_bytes(msgspec.json.encode(record))
        assert processes.running("old") is None
        assert not processes.stop("old")
        assert stranger.poll() is None
    finally:
        stranger.kill()
        stranger.wait()


def test_children_left_by_a_killed_process_end_with_the_next_start(processes: Processes, tmp_path: Path) -> None:
    processes.start("parent", PARENT, environment(processes, tmp_path))
    child = psutil.Process(int(first_line(processes, "parent")))
    processes.signal("parent", signal.SIGKILL)
    while processes.running("parent") is not None:
        time.sleep(0.01)
    assert child.is_running()
    processes.start("parent", SLEEPER, environment(processes, tmp_path))
    assert gone(child.pid)


def test_leftover_of_another_home_is_left_alone(processes: Processes, tmp_path: Path) -> None:
    processes.start("parent", PARENT, {**os.environ, "VITRINE_HOME": "/somewhere/else"})
    child = psutil.Process(int(first_line(processes, "parent")))
    try:
        processes.stop("parent")
        assert child.is_running()
        assert child.status() != psutil.STATUS_ZOMBIE
    finally:
        child.kill()


def test_lock_names_the_command_that_holds_it(processes: Processes, tmp_path: Path) -> None:
    with (
        processes.lock(),
        pytest.raises(OperatorError, match=rf"process {os.getpid()}\b.*wait for it"),
        Processes(Layout(tmp_path)).lock(),
    ):
        raise AssertionError("the lock was given twice")


def test_lock_is_waited_for_where_the_watchdog_holds_it(processes: Processes, tmp_path: Path) -> None:
    holds = (
        "import sys, time, pathlib\n"
        "from schemas.layout import Layout\n"
        "from cli.runtime.processes import Processes\n"
        "with Processes(Layout(pathlib.Path(sys.argv[1]))).lock():\n"
        "    print('held', flush=True)\n"
        "    time.sleep(1)\n"
        "time.sleep(600)\n"
    )
    command = [sys.executable, "-c", holds, str(tmp_path)]
    processes.start("watchdog", command, {**environment(processes, tmp_path), "PYTHONPATH": str(REPOSITORY)})
    assert first_line(processes, "watchdog") == "held"
    with pytest.raises(OperatorError, match="wait for it"), processes.lock():
        raise AssertionError("the lock was given twice")
    with processes.lock(waiting_for="watchdog"):
        assert processes.running("watchdog") is not None


def test_missing_program_is_an_operator_error(processes: Processes, tmp_path: Path) -> None:
    with pytest.raises(OperatorError, match="make setup"):
        processes.start("ghost", [str(tmp_path / "no-such-program")], environment(processes, tmp_path))
    assert processes.running("ghost") is None


def test_failure_quotes_the_line_that_tells_why(processes: Processes) -> None:
    processes.log_file("job").write_text("starting\nValueError: the shelf is empty\nbye\n")
    message = processes.failure("job", "ended while starting")
    assert "ValueError: the shelf is empty" in message
    assert str(processes.log_file("job")) in message
