"""Who uses the processor while something is measured, in cores and, when asked, function by function."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping
from pathlib import Path

import psutil

from benchmarks.harness.result import PROFILE
from benchmarks.harness.system import BenchSystem
from cli.runtime.flink.parts import TASK_MANAGER
from cli.runtime.supervisor import NAME as SUPERVISOR
from cli.runtime.system import System

_SAMPLES_PER_S = 100


class CpuMeter:
    """Processor time by process, in cores, between two moments. `others`: further processes by name."""

    def __init__(self, system: BenchSystem, others: dict[str, int] | None = None) -> None:
        self._system = system
        self._others = others or {}
        self._flames = _Flames(system.runtime, self._others)
        self._began = time.monotonic()
        self._before = self._times()

    def cores(self, least: float = 0.02) -> dict[str, float]:
        """Cores used since the meter was made, largest first; what used less than `least` is left out."""
        elapsed = time.monotonic() - self._began
        self._flames.end()
        used: dict[str, float] = {}
        for (name, pid), seconds in self._times().items():
            cores = (seconds - self._before.get((name, pid), 0.0)) / elapsed
            used[name] = used.get(name, 0.0) + cores
        shown = {name: round(cores, 2) for name, cores in used.items() if cores >= least}
        return dict(sorted(shown.items(), key=lambda entry: -entry[1]))

    def _times(self) -> dict[tuple[str, int], float]:
        found: dict[tuple[str, int], float] = {}
        for name, process in processes(self._system.runtime, self._others):
            try:
                times = process.cpu_times()
            except psutil.NoSuchProcess:
                continue
            found[name, process.pid] = times.user + times.system
        return found


def processes(runtime: System, others: Mapping[str, int] | None = None) -> Iterator[tuple[str, psutil.Process]]:
    """Every process of the system with its children, by the name of its part; then `others` by theirs.

    The supervisor's children are the parts, each with a name of its own.
    """
    for name, pid in {**runtime.running(), **(others or {})}.items():
        try:
            process = psutil.Process(pid)
            for member in (process, *(() if name == SUPERVISOR else process.children(recursive=True))):
                yield _label(name, member) if name == TASK_MANAGER else name, member
        except psutil.NoSuchProcess:
            continue


def _label(name: str, member: psutil.Process) -> str:
    """Flink's Python workers and the CNN are the task manager's children, and shown for themselves."""
    command = " ".join(member.cmdline())
    if "jobs.pipeline.extraction.child" in command:
        return "extraction-cnn"
    if "pyflink" in command and "java" not in command.split(" ", 1)[0]:
        return "flink-python-stages"
    return name


class _Flames:
    """py-spy beside every Python process from now on to `end`, if `PROFILE` is set; figures taken meanwhile suffer."""

    def __init__(self, runtime: System, others: Mapping[str, int]) -> None:
        self._recorders: list[subprocess.Popen[bytes]] = []
        if not (folder := os.environ.get(PROFILE)):
            return
        turn = Path(folder) / f"{time.time():.0f}"
        turn.mkdir(parents=True, exist_ok=True)
        for name, process in processes(runtime, others):
            if "python" in Path(process.exe()).name:
                command = [
                    f"{Path(sys.executable).with_name('py-spy')}",
                    "record",
                    "--nonblocking",
                    "--rate",
                    f"{_SAMPLES_PER_S}",
                ]
                file = turn / f"{name}-{process.pid}.svg"
                command += ["--pid", f"{process.pid}", "--output", f"{file}", "--duration", "3600"]
                self._recorders.append(subprocess.Popen(command, stdout=subprocess.DEVNULL))

    def end(self) -> None:
        """Returns once the files are written."""
        for recorder in self._recorders:
            recorder.send_signal(signal.SIGINT)
        for recorder in self._recorders:
            recorder.wait()
        self._recorders.clear()
