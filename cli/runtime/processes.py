"""Processes of a running system, remembered in `run/NAME.json` so that any later command finds them.

A record holds the process id *and* the time the process was created: an id
that the kernel gave to somebody else since is recognised and left alone.
Processes get a session of their own, so that Ctrl-C in the terminal that
started them does not reach them, and so that their children (Flink's Python
workers, the CNN process) can be ended with them.

The supervisor is started here; every other process is started by it and
writes its record itself (`cli/runtime/launch`, `become`).
"""

from __future__ import annotations

import contextlib
import logging
import os
import signal
import subprocess
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path

import msgspec
import psutil

from disk.locks import take
from schemas.errors import OperatorError
from schemas.layout import Layout

log = logging.getLogger(__name__)

_CREATED_TOLERANCE_S = 1.0
KEPT_STARTS = 20
LOCK_S = 60.0
SWEEP_S = 2.0
"""For what a dead process left behind to end by itself."""


class ProcessRecord(msgspec.Struct, frozen=True, kw_only=True):
    """`created`: creation time as psutil reports it, seconds since the epoch.

    `starts`: when the latest processes of that name were started, this one last, since a person started the first.
    """

    name: str
    pid: int
    created: float
    command: list[str]
    starts: list[float] = []


class Processes:
    """Starts, finds and ends the processes of one home. One command at a time: see `lock`."""

    def __init__(self, layout: Layout) -> None:
        self._layout = layout

    @contextmanager
    def lock(self, *, waiting_for: str | None = None) -> Iterator[None]:
        """Held while a command starts or stops processes. Raises `OperatorError` when another one is at it.

        `waiting_for`: the process of ours whose end of work is waited for, since it holds the lock for seconds only.
        """
        self._layout.make()
        deadline = time.monotonic() + LOCK_S
        with (self._layout.run / "lock").open("a+") as file:
            while not take(file):
                file.seek(0)
                holder = file.read().strip()
                waited_for = None if waiting_for is None else self.running(waiting_for)
                if waited_for is None or holder != str(waited_for.pid) or time.monotonic() > deadline:
                    raise OperatorError(
                        f"another vitrine command (process {holder or 'unknown'}) is starting or stopping "
                        f"{self._layout.home}: wait for it, or end it"
                    )
                time.sleep(0.05)
            file.seek(0)
            file.truncate()
            file.write(str(os.getpid()))
            file.flush()
            yield

    def start(self, name: str, command: Sequence[str], environment: Mapping[str, str]) -> ProcessRecord:
        """Starts `command` unless `name` runs; its output goes to `logs/NAME.log`. Returns at once."""
        running = self.running(name)
        if running is not None:
            return running
        self.sweep(name)
        log_file = self.log_file(name)
        log_file.parent.mkdir(parents=True, exist_ok=True)
        try:
            with log_file.open("ab") as output:
                child = subprocess.Popen(
                    list(command),
                    stdin=subprocess.DEVNULL,
                    stdout=output,
                    stderr=subprocess.STDOUT,
                    env=dict(environment),
                    cwd=self._layout.home,
                    start_new_session=True,
                )
        except OSError as error:
            raise OperatorError(f"cannot start {name} ({command[0]}): {error}; run `make setup`") from error
        try:
            created = psutil.Process(child.pid).create_time()
        except psutil.NoSuchProcess as error:
            raise OperatorError(self.failure(name, "ended at once")) from error
        record = ProcessRecord(
            name=name, pid=child.pid, created=created, command=list(command), starts=self._starts(name, created)
        )
        self._write(record)
        log.info("event=process_started name=%s pid=%d", name, child.pid)
        return record

    def become(self, name: str, command: Sequence[str]) -> ProcessRecord:
        """Records this very process, which is about to execute `command`, as `name`; a left-over is swept before."""
        self.sweep(name)
        created = psutil.Process().create_time()
        record = ProcessRecord(
            name=name, pid=os.getpid(), created=created, command=list(command), starts=self._starts(name, created)
        )
        self._write(record)
        return record

    def record(self, name: str) -> ProcessRecord | None:
        """What was last started under `name`, running or not."""
        try:
            return msgspec.json.decode(self._file(name).read_bytes(), type=ProcessRecord)
        except FileNotFoundError:
            return None
        except msgspec.MsgspecError as error:
            raise OperatorError(
                f"{self._file(name)} is not readable ({error}): end the process {name} by hand, then remove the file"
            ) from error

    def running(self, name: str) -> ProcessRecord | None:
        """The record of `name` when that very process is alive."""
        record = self.record(name)
        return record if record is not None and _alive(record) else None

    def names(self) -> list[str]:
        """Every name that has a record, in the order in which they were started."""
        records = [record for file in self._layout.run.glob("*.json") if (record := self.record(file.stem)) is not None]
        return [record.name for record in sorted(records, key=lambda record: record.created)]

    def signal(self, name: str, number: int) -> None:
        """Sends a signal to the running process `name` alone. Raises `OperatorError` when it does not run."""
        record = self.running(name)
        if record is None:
            raise OperatorError(f"{name} does not run; `vitrine status` shows what does")
        os.kill(record.pid, number)

    def stop(self, name: str, grace_s: float = 20.0) -> bool:
        """SIGTERM, SIGKILL after `grace_s`, then the same for children left behind. False: it did not run."""
        record = self.running(name)
        if record is not None:
            with contextlib.suppress(ProcessLookupError):
                os.kill(record.pid, signal.SIGTERM)
            if not _wait_gone(record, grace_s):
                log.warning("event=process_killed name=%s pid=%d grace_s=%s", name, record.pid, grace_s)
                with contextlib.suppress(ProcessLookupError):
                    os.kill(record.pid, signal.SIGKILL)
                _wait_gone(record, 10.0)
            log.info("event=process_stopped name=%s pid=%d", name, record.pid)
        self.sweep(name)
        self._file(name).unlink(missing_ok=True)
        return record is not None

    def sweep(self, name: str) -> None:
        """Ends what the process `name` left behind in its group after its death (say, Python workers)."""
        record = self.record(name)
        if record is None or _alive(record) or _recycled(record):
            return
        left = [process for process in _group(record.pid) if self._is_ours(process)]
        for process in left:
            with contextlib.suppress(psutil.NoSuchProcess):
                process.terminate()
        _, stubborn = psutil.wait_procs(left, timeout=SWEEP_S)
        for process in stubborn:
            with contextlib.suppress(psutil.NoSuchProcess):
                process.kill()
        psutil.wait_procs(stubborn, timeout=5.0)

    def log_file(self, name: str) -> Path:
        return self._layout.logs / f"{name}.log"

    def failure(self, name: str, what: str) -> str:
        """A message for `OperatorError`: what happened, the log's last line, where the rest is."""
        file = self.log_file(name)
        lines = file.read_text(errors="replace").splitlines()[-200:] if file.exists() else []
        telling = [line.strip() for line in lines if "error" in line.lower() or "exception" in line.lower()]
        last = (telling or lines[-1:] or ["(no output)"])[-1]
        return f"{name} {what}: {last[:300]} -- the log is {file}"

    def _is_ours(self, process: psutil.Process) -> bool:
        """Whether its environment names our home: the last proof that a left-over belongs to this system."""
        try:
            return process.environ().get("VITRINE_HOME") == str(self._layout.home)
        except (psutil.NoSuchProcess, psutil.AccessDenied, psutil.ZombieProcess):
            return False

    def _starts(self, name: str, now: float) -> list[float]:
        """The start at `now` after those before it; `stop` removes the record and so forgets them."""
        before = self.record(name)
        return [*(before.starts if before is not None else []), now][-KEPT_STARTS:]

    def _file(self, name: str) -> Path:
        return self._layout.run / f"{name}.json"

    def _write(self, record: ProcessRecord) -> None:
        temporary = self._file(record.name).with_suffix(".tmp")
        temporary.write_bytes(msgspec.json.encode(record))
        temporary.rename(self._file(record.name))


def _alive(record: ProcessRecord) -> bool:
    try:
        process = psutil.Process(record.pid)
        if process.status() == psutil.STATUS_ZOMBIE:
            _reap(record.pid)
            return False
        return abs(process.create_time() - record.created) < _CREATED_TOLERANCE_S
    except psutil.NoSuchProcess:
        return False


def _recycled(record: ProcessRecord) -> bool:
    """Whether the id belongs to another process now; then nothing of the old one's group is left either."""
    try:
        return abs(psutil.Process(record.pid).create_time() - record.created) >= _CREATED_TOLERANCE_S
    except psutil.NoSuchProcess:
        return False


def _reap(pid: int) -> None:
    """Takes the exit status of an ended child of ours; somebody else's child is theirs to reap."""
    with contextlib.suppress(ChildProcessError):
        os.waitpid(pid, os.WNOHANG)


def _wait_gone(record: ProcessRecord, timeout_s: float) -> bool:
    deadline = time.monotonic() + timeout_s
    while _alive(record):
        if time.monotonic() > deadline:
            return False
        time.sleep(0.05)
    return True


def _group(leader: int) -> list[psutil.Process]:
    """The live members of the process group that `leader` led."""
    members: list[psutil.Process] = []
    for process in psutil.process_iter():
        with contextlib.suppress(ProcessLookupError, psutil.NoSuchProcess, PermissionError):
            if os.getpgid(process.pid) == leader and process.status() != psutil.STATUS_ZOMBIE:
                members.append(process)
    return members
