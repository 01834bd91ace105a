"""The current snapshot of a folder, read while its searcher may replace it."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import TypeVar

from indexing.snapshot.snapshot import CURRENT

T = TypeVar("T")

_ATTEMPTS = 5


def read_current(folder: Path, read: Callable[[Path], T]) -> T | None:
    """What `read` makes of the snapshot's files; None where there is none. One that is replaced meanwhile is read anew.

    Raises `OSError` when that happens again and again, and what `read` raises.
    """
    for attempt in range(_ATTEMPTS):
        try:
            name = (folder / CURRENT).read_text().strip()
        except FileNotFoundError:
            return None
        try:
            return read(folder / name)
        except FileNotFoundError:
            if attempt == _ATTEMPTS - 1:
                raise
    raise AssertionError("the last attempt returns or raises")
