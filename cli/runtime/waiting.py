"""Waiting for a process to become useful, and noticing early that it never will."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence

from cli.runtime.processes import Processes
from cli.runtime.progress import Progress
from schemas.errors import OperatorError

DEATHS = 2
"""The supervisor starts a part that ended anew; one that ends again will hardly come up by itself."""


def wait_until(
    ready: Callable[[], bool],
    what: str,
    *,
    processes: Processes,
    names: Sequence[str],
    progress: Progress,
    timeout_s: float,
    given_up: Callable[[Sequence[str]], str | None] = lambda _: None,
    poll_s: float = 0.2,
) -> None:
    """Polls `ready`; raises `OperatorError` when one of the processes `names` does not stay up, or at the time limit.

    `given_up(names)`: the one that the supervisor does not start any more.
    """
    deadline = time.monotonic() + timeout_s
    before = {name: _starts(processes, name) for name in names}
    while not ready():
        for name in names:
            if len(_starts(processes, name) - before[name]) > DEATHS:
                raise OperatorError(processes.failure(name, "ended while starting, and again"))
        if (lost := given_up(names)) is not None:
            raise OperatorError(processes.failure(lost, "ended while starting, each time that it was started"))
        if time.monotonic() > deadline:
            blamed = names[0] if names else what
            raise OperatorError(processes.failure(blamed, f"was not ready within {timeout_s:.0f} s ({what})"))
        progress.waiting(what)
        time.sleep(poll_s)


def _starts(processes: Processes, name: str) -> set[float]:
    record = processes.record(name)
    return set() if record is None else set(record.starts)
