"""Waiting for a process to become useful, and noticing early that it never will."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence

from cli.runtime.processes import Processes
from cli.runtime.progress import Progress
from schemas.errors import OperatorError


def wait_until(
    ready: Callable[[], bool],
    what: str,
    *,
    processes: Processes,
    names: Sequence[str],
    progress: Progress,
    timeout_s: float,
    poll_s: float = 0.2,
) -> None:
    """Polls `ready`; raises `OperatorError` when one of the processes `names` ends first, or at the time limit."""
    deadline = time.monotonic() + timeout_s
    while not ready():
        for name in names:
            if processes.running(name) is None:
                raise OperatorError(processes.failure(name, "ended while starting"))
        if time.monotonic() > deadline:
            blamed = names[0] if names else what
            raise OperatorError(processes.failure(blamed, f"was not ready within {timeout_s:.0f} s ({what})"))
        progress.waiting(what)
        time.sleep(poll_s)
