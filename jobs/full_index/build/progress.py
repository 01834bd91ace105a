"""How far a build is: a small file a unit of work, written by Flink's workers, read by whoever shows it."""

from __future__ import annotations

import contextlib
import os
import time
from pathlib import Path

import msgspec

_SHARES = {"read": 0.0, "train": 0.5, "assign": 0.74, "write": 0.81, "digest": 0.88, "measure": 0.96, "done": 1.0}
"""Where each phase of a shard begins, of all its work, as measured at a million images (benchmarks/results/build.json).

A catalogue partition's unit reads only.
"""
_EVERY_S = 0.3


class UnitState(msgspec.Struct, kw_only=True):
    """`unit`: shard-1, catalogue-0. `share`: of what `phase` reads, 0 to 1; `images`: done in it."""

    unit: str
    phase: str = "read"
    share: float = 0.0
    images: int = 0

    @property
    def done(self) -> float:
        """Of all its work, 0 to 1."""
        if self.phase != "read":
            return _SHARES[self.phase]
        return self.share * (_SHARES["train"] if self.unit.startswith("shard") else 1.0)


class UnitProgress:
    """The writer's side: belongs to one unit. Also keeps the seconds of each phase."""

    def __init__(self, folder: Path, unit: str) -> None:
        self._file = folder / f"{unit}.json"
        self._state = UnitState(unit=unit)
        self._written = 0.0
        self._began = time.monotonic()
        self.took_s: dict[str, float] = {}
        folder.mkdir(parents=True, exist_ok=True)
        self._write()

    def has_read(self, share: float, images: int) -> None:
        """So much of the catalogue is read. Written a few times a second at most."""
        self._state.share, self._state.images = share, images
        if time.monotonic() - self._written > _EVERY_S:
            self._write()

    def begins(self, phase: str) -> None:
        """The next phase begins."""
        now = time.monotonic()
        self.took_s[self._state.phase] = round(now - self._began, 3)
        self._began = now
        self._state.phase = phase
        self._write()

    def _write(self) -> None:
        """Not synced: it is for the eye, and a build that is run again begins anew."""
        self._written = time.monotonic()
        temporary = self._file.with_suffix(f".{os.getpid()}")
        temporary.write_bytes(msgspec.json.encode(self._state))
        temporary.replace(self._file)


def read_progress(folder: Path) -> list[UnitState]:
    """Of all units that have begun, by name; a folder that is not there (yet, any more) has none."""
    found = []
    for file in sorted(folder.glob("*.json")):
        with contextlib.suppress(FileNotFoundError):  # swept between listing and reading
            found.append(msgspec.json.decode(file.read_bytes(), type=UnitState))
    return found
