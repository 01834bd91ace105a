"""Who may write a partition, as adapters record it for people and for whoever waits: a process."""

from __future__ import annotations

import os
import time

import msgspec
import psutil


class Owner(msgspec.Struct, frozen=True):
    """The process that has a partition open for writing. Times in seconds of Unix time."""

    pid: int
    started_s: float
    command: str
    since_s: float

    def __str__(self) -> str:
        return f"pid {self.pid} ({self.command})"


def this_process() -> Owner:
    process = psutil.Process()
    return Owner(os.getpid(), process.create_time(), " ".join(process.cmdline())[:300], time.time())


def runs(pid: int, started_s: float) -> bool:
    """Whether that very process still runs (a zombie does not: it holds no lock any more)."""
    try:
        process = psutil.Process(pid)
        return abs(process.create_time() - started_s) < 1.0 and process.status() != psutil.STATUS_ZOMBIE
    except psutil.NoSuchProcess:
        return False
