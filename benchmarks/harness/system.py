"""The real system for a benchmark: Kafka, Flink, job and services in a temporary home on ports of their own."""

from __future__ import annotations

import tempfile
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import psutil

from cli.inspection import ShardView, shard_views
from cli.runtime.flink.parts import TASK_MANAGER
from cli.runtime.progress import Progress
from cli.runtime.supervisor import NAME as SUPERVISOR
from cli.runtime.system import System
from schemas.errors import OperatorError, TransientError
from schemas.settings import Settings, load_settings

FIRST_PORT = 18_500
POLL_S = 0.02


def bench_settings(home: Path, first_port: int, **overrides: Any) -> Settings:
    """The defaults but for the home, the ports and `overrides`."""
    values: dict[str, Any] = {
        "http_port": first_port,
        "kafka_port": first_port + 1,
        "flink_port": first_port + 3,
        "grpc_port": first_port + 4,
        "metrics_port": first_port + 40,
        **overrides,
    }
    return load_settings({}, home=str(home), **values)


@contextmanager
def temporary_home() -> Iterator[Path]:
    with tempfile.TemporaryDirectory(prefix="vitrine-bench-", ignore_cleanup_errors=True) as folder:
        yield Path(folder).resolve()


def drawn_weights(encoder: str, folder: Path) -> Path:
    """A weights file for one of torchvision's networks: random numbers, for speed is all that is measured."""
    import torch
    from torchvision import models

    torch.manual_seed(1)
    file = folder / f"{encoder}-drawn.pth"
    torch.save(models.get_model(encoder, weights=None).state_dict(), file)
    return file


class BenchSystem:
    """A running system and what benchmarks read off it."""

    def __init__(self, settings: Settings) -> None:
        self.settings = settings
        self.progress = Progress()
        self.runtime = System(settings, self.progress)

    @contextmanager
    def running(self) -> Iterator[BenchSystem]:
        try:
            self.runtime.start()
            yield self
        finally:
            self.runtime.stop()

    def shards(self) -> list[ShardView]:
        return shard_views(self.settings.tier)

    def until(self, what: str, done: Callable[[list[ShardView]], bool], timeout_s: float) -> float:
        """Unix time when the shards first satisfied `done`. Raises `OperatorError` after `timeout_s`."""
        deadline = time.monotonic() + timeout_s
        while True:
            try:
                views = self.shards()
                now = time.time()
                if all(not view.error for view in views) and done(views):
                    return now
                state = ", ".join(
                    f"shard {v.shard}: {v.searchable} searchable, {v.pending} pending, lag {v.lag}" for v in views
                )
            except TransientError as error:
                state = str(error)
            if time.monotonic() > deadline:
                raise OperatorError(
                    f"not within {timeout_s:.0f} s: {what} ({state}); logs: {self.runtime.log_folder()}"
                )
            self.progress.waiting(f"{what} ({state})")
            time.sleep(POLL_S)

    def until_applied(self, append_ms: int, timeout_s: float = 600.0) -> float:
        """Unix time when every shard reflected all events up to `append_ms` (as coarse as heartbeats come)."""
        return self.until(
            "every event is applied", lambda views: all(view.watermark_ms > append_ms for view in views), timeout_s
        )

    def until_trained(self, timeout_s: float = 600.0) -> None:
        """Until every shard of more than 20,000 images has its inverted lists; smaller ones search exactly."""
        self.until(
            "the shards have trained their inverted lists",
            lambda views: all(view.index != "exact" or view.searchable < 20_000 for view in views),
            timeout_s,
        )

    def watermark_lag_ms(self) -> float:
        """Age of the oldest shard's watermark: every event before it is searchable."""
        return time.time() * 1000 - min(view.watermark_ms for view in self.shards())


class CpuMeter:
    """Processor time by process, in cores, between two moments. `others`: further processes by name."""

    def __init__(self, system: BenchSystem, others: dict[str, int] | None = None) -> None:
        self._system = system
        self._others = others or {}
        self._began = time.monotonic()
        self._before = self._times()

    def cores(self, least: float = 0.02) -> dict[str, float]:
        """Cores used since the meter was made, largest first; what used less than `least` is left out."""
        elapsed = time.monotonic() - self._began
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
