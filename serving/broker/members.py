"""Which searchers there are of a shard: as many as a setting says, or those that a file names, as it changes."""

from __future__ import annotations

import logging
from collections.abc import Sequence
from pathlib import Path
from typing import Protocol

from schemas.access.addresses import read_addresses
from schemas.errors import OperatorError

log = logging.getLogger(__name__)


class Members(Protocol):
    """A replica's number is its name for good: another searcher never gets it."""

    def look(self) -> None:
        """Learns what has changed; may read a small file."""

    def numbers(self, shard: int) -> Sequence[int]:
        """The replicas that the shard has now."""


class AsMany:
    """So many of every shard, always."""

    def __init__(self, replicas: int) -> None:
        self._numbers = range(replicas)

    def look(self) -> None:
        """Nothing changes."""

    def numbers(self, shard: int) -> Sequence[int]:
        return self._numbers


class NamedInFile:
    """Those whose addresses `file` lists, see `schemas.access.addresses`. Raises `OperatorError` where it cannot be
    read at first; later what was known stays known, and the log says why."""

    def __init__(self, file: Path) -> None:
        self._file = file
        self._seen = _stamp(file)
        self._listed = read_addresses(file)
        self._addresses: dict[tuple[int, int], str] = {}
        self._numbers: dict[tuple[int, str], int] = {}
        self._problem = ""
        self._number_all()

    def look(self) -> None:
        if (now := _stamp(self._file)) == self._seen and not self._problem:
            return
        try:
            self._listed = read_addresses(self._file)
        except OperatorError as error:
            if str(error) != self._problem:
                log.warning("event=addresses_not_followed problem=%s", error)
            self._problem = str(error)
            return
        self._seen, self._problem = now, ""
        self._number_all()
        log.info("event=addresses_followed file=%s searchers=%d", self._file, sum(map(len, self._listed)))

    def numbers(self, shard: int) -> Sequence[int]:
        if shard >= len(self._listed):
            return ()
        return [self._numbers[shard, address] for address in self._listed[shard]]

    def address(self, shard: int, number: int) -> str:
        """host:port of a replica that there is or was."""
        return self._addresses[shard, number]

    def _number_all(self) -> None:
        """An address keeps its number also while it is away."""
        for shard, listed in enumerate(self._listed):
            for address in listed:
                if (shard, address) not in self._numbers:
                    number = sum(of == shard for of, _ in self._numbers)
                    self._numbers[shard, address] = number
                    self._addresses[shard, number] = address


def _stamp(file: Path) -> tuple[int, int, int]:
    """Another one whenever the file was written; of one that is away (0, 0, 0)."""
    try:
        found = file.stat()
    except OSError:
        return 0, 0, 0
    return found.st_mtime_ns, found.st_size, found.st_ino
