"""Full indexes in a folder, on this machine or shared with others. Writers hold the lock of `Generations`."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from hashlib import blake2b
from pathlib import Path

from disk.durable import sync_folder, write_durably
from generations.files.port import ChangedError

_PIECE = 1 << 20


class FolderFiles:
    """The port over a folder; a rename makes a folder visible, whole."""

    copied = False

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.where = str(folder)

    def names(self, sealed: str) -> list[str]:
        if not self.folder.is_dir():
            return []
        return sorted(f.name for f in self.folder.iterdir() if f.name[:1] != "." and (f / sealed).is_file())

    def read(self, path: str) -> bytes:
        return (self.folder / path).read_bytes()

    def tagged(self, path: str) -> tuple[bytes, str]:
        data = self.read(path)
        return data, blake2b(data, digest_size=16).hexdigest()

    def pieces(self, path: str) -> Iterator[bytes]:
        with (self.folder / path).open("rb") as source:
            while piece := source.read(_PIECE):
                yield piece

    def write(self, path: str, data: bytes) -> None:
        write_durably(self.folder / path, data)

    def replace(self, path: str, data: bytes, tag: str | None) -> None:
        """Under the lock that every writer of the folder holds; without it two may pass the comparison."""
        try:
            found: str | None = self.tagged(path)[1]
        except FileNotFoundError:
            found = None
        if found != tag:
            raise ChangedError(f"{self.folder / path}")
        self.write(path, data)

    def add(self, made: Path, name: str, sealed: str) -> None:
        made.rename(self.folder / name)
        sync_folder(self.folder)

    def remove(self, name: str, sealed: str) -> None:
        (self.folder / name / sealed).unlink()
        shutil.rmtree(self.folder / name)

    def sweep(self, sealed: str) -> None:
        for left in self.folder.iterdir() if self.folder.is_dir() else ():
            if left.is_dir() and left.name[:1] == "g" and not (left / sealed).exists():
                shutil.rmtree(left)
