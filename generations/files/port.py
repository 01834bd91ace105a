"""What full indexes ask of the place that they lie in."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Protocol

from objects.client import ChangedError

__all__ = ["ChangedError", "Files"]


class Files(Protocol):
    """Files below a place, in folders of its own; a path is `<folder>/<...>/<file>`. Any process, any thread.

    Every method raises an `OSError` where the place is away or refuses, and
    those that read `FileNotFoundError` for what is not there.
    """

    where: str
    """To be shown."""
    folder: Path
    """On this machine: the place itself or, where that is an object store, copies of what lies there. Builds work
    here, and locks between this machine's processes lie here."""
    copied: bool
    """Whether `folder` holds copies."""

    def names(self, sealed: str) -> list[str]:
        """Folders that hold a file of the name `sealed`, in order."""

    def read(self, path: str) -> bytes: ...

    def tagged(self, path: str) -> tuple[bytes, str]:
        """The file, and a tag that another content does not have."""

    def pieces(self, path: str) -> Iterator[bytes]:
        """The file, in pieces."""

    def write(self, path: str, data: bytes) -> None:
        """Durably and at once: a reader sees the old or the new bytes."""

    def replace(self, path: str, data: bytes, tag: str | None) -> None:
        """As `write`, over what has that tag alone; None: only where nothing is. Raises `ChangedError` else."""

    def add(self, made: Path, name: str, sealed: str) -> None:
        """The folder `made`, which lies in `folder`, becomes the folder `name`: nobody sees its file `sealed` before
        all the others are there."""

    def remove(self, name: str, sealed: str) -> None:
        """Removes a folder, its file `sealed` first: cut short, it leaves no generation."""

    def sweep(self, sealed: str) -> None:
        """Removes what additions and removals that were cut short left behind."""
