"""Full indexes in an object store. Nothing there is locked: a write on a condition decides who moves the alias."""

from __future__ import annotations

import shutil
import time
from collections.abc import Iterator
from pathlib import Path

from objects.place import Objects
from schemas.access.objects import CopiedPlace

LEFT_S = 86_400.0
"""An addition that nothing was added to for so long is one that was cut short."""


class StoreFiles:
    """The port over a place of an object store. `folder` holds copies, and builds under way."""

    copied = True

    def __init__(self, at: CopiedPlace) -> None:
        """Raises `OperatorError` where boto3 is not installed."""
        self._objects = Objects(at.place)
        self.folder = at.copies
        self.where = str(at)

    def names(self, sealed: str) -> list[str]:
        return sorted(
            name for name in self._objects.folders() if name[:1] != "." and self._is_there(f"{name}/{sealed}")
        )

    def read(self, path: str) -> bytes:
        return self._objects.read(path)

    def tagged(self, path: str) -> tuple[bytes, str]:
        return self._objects.tagged(path)

    def pieces(self, path: str) -> Iterator[bytes]:
        return self._objects.pieces(path)

    def write(self, path: str, data: bytes) -> None:
        self._objects.write(path, data)

    def replace(self, path: str, data: bytes, tag: str | None) -> None:
        self._objects.replace(path, data, tag)

    def add(self, made: Path, name: str, sealed: str) -> None:
        """Sent file by file; what was made stays as this machine's copy."""
        for file in sorted(file for file in made.rglob("*") if file.is_file() and file != made / sealed):
            self._objects.upload(f"{name}/{file.relative_to(made).as_posix()}", file)
        self._objects.upload(f"{name}/{sealed}", made / sealed)
        made.rename(self.folder / name)

    def remove(self, name: str, sealed: str) -> None:
        self._objects.remove([f"{name}/{sealed}"])
        self._objects.remove(each.path for each in self._objects.list(name))

    def sweep(self, sealed: str) -> None:
        """Here: copies of what is gone there. There: additions cut short, since nobody knows whose are under way."""
        there = self._objects.folders()
        for name in there:
            if name[:1] != "g" or self._is_there(f"{name}/{sealed}"):
                continue
            found = self._objects.list(name)
            if max((each.changed_s for each in found), default=0.0) < time.time() - LEFT_S:
                self._objects.remove(each.path for each in found)
        for copy in self.folder.glob("g*"):
            if copy.is_dir() and copy.name not in there:
                shutil.rmtree(copy)

    def _is_there(self, path: str) -> bool:
        try:
            self._objects.read(path)
        except FileNotFoundError:
            return False
        return True
