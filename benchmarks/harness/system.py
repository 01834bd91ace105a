"""The real system for a benchmark: Kafka, Flink, job and services in a temporary home on ports of their own."""

from __future__ import annotations

import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import psutil

from cli.inspection import ShardView, shard_views
from cli.runtime.progress import Progress
from cli.runtime.system import System
from schemas.errors import OperatorError, TransientError
from schemas.settings import Settings, load_settings

FIRST_PORT = 18_500
POLL_S = 0.05
_IDLE_S = 1.0
_IDLE_CORES = 0.3
"""A searcher that trains takes more, one that polls the log less."""

COMPOSITE = "efficientnet_lite0_composite"
"""The default until ADR 50, whose features are searched as they are: `--encoder` of it compares with figures up to
November 2026, and benchmarks of looks hold theirs against it."""


def bench_settings(home: Path, first_port: int, **overrides: Any) -> Settings:
    """The defaults but for the home, the ports and `overrides`."""
    values: dict[str, Any] = {
        "http_port": first_port,
        "kafka_port": first_port + 1,
        "flink_port": first_port + 3,
        "grpc_port": first_port + 4,
        "metrics_port": first_port + 40,
        # Photos of a load generator come again and again: a shopper's does on the next page only.
        "query_known_photos": 0,
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
        """Until every shard of more than 20,000 images has its inverted lists, and none is training them anew.

        Smaller shards search exactly. A training takes all that a searcher can get of a core.
        """
        self.until(
            "the shards have trained their inverted lists",
            lambda views: all(view.index != "exact" or view.searchable < 20_000 for view in views),
            timeout_s,
        )
        searchers = [pid for name, pid in self.runtime.running().items() if name.startswith("searcher")]
        deadline = time.monotonic() + timeout_s
        while (busy := max(_cores(searchers, _IDLE_S))) > _IDLE_CORES:
            if time.monotonic() > deadline:
                raise OperatorError(f"a searcher still takes {busy:.2f} cores; logs: {self.runtime.log_folder()}")
            self.progress.waiting(f"a searcher takes {busy:.2f} cores")

    def watermark_lag_ms(self) -> float:
        """Age of the oldest shard's watermark: every event before it is searchable."""
        return time.time() * 1000 - min(view.watermark_ms for view in self.shards())


def _cores(pids: list[int], seconds: float) -> list[float]:
    """Cores that each of these processes takes for the next `seconds`."""
    parts = [psutil.Process(pid) for pid in pids]
    for part in parts:
        part.cpu_percent()
    time.sleep(seconds)
    return [part.cpu_percent() / 100 for part in parts]
