"""Locks between processes, by files; the kernel gives them up with the process, however it ends."""

from __future__ import annotations

import fcntl
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import IO


@contextmanager
def locked(file: Path, *, otherwise: Exception | None = None) -> Iterator[None]:
    """Holds the lock of `file`, which is made where it is not there; its folder must be.

    Where another process, or another part of this one, holds it, raises
    `otherwise`; without that it waits.
    """
    with file.open("a+") as stream:
        if otherwise is None:
            fcntl.flock(stream, fcntl.LOCK_EX)
        elif not take(stream):
            raise otherwise
        yield


def take(stream: IO[str]) -> bool:
    """Takes the lock of an open file, which holds it until it is closed; False: somebody else has it."""
    try:
        fcntl.flock(stream, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True
