"""The store port in memory: the same meaning without files or other processes, for tests and the embedded mode.

Not bounded: every write is kept, since a reader follows by replaying writes.
"""

from __future__ import annotations

import bisect
import os
from collections.abc import Iterator, Sequence
from pathlib import Path

import msgspec

from schemas.errors import OperatorError

_COPY_FILE = "entries.msgpack"

_Write = tuple[list[tuple[bytes, bytes]], list[bytes]]


class _Log:
    """What was written to one partition, in order, and whether somebody holds the right to write."""

    def __init__(self) -> None:
        self.writes: list[_Write] = []
        self.owned = False


class _MemoryPartition:
    def __init__(self, log: _Log) -> None:
        self._log = log
        self._entries: dict[bytes, bytes] = {}
        self._applied = 0
        self._closed = False
        self._catch_up()

    def get_many(self, keys: Sequence[bytes]) -> list[bytes | None]:
        self._check_open()
        return [self._entries.get(key) for key in keys]

    def scan(self, prefix: bytes = b"") -> Iterator[tuple[bytes, bytes]]:
        self._check_open()
        keys = sorted(self._entries)
        begin = bisect.bisect_left(keys, prefix)
        matching = [key for key in keys[begin:] if key.startswith(prefix)]
        return iter([(key, self._entries[key]) for key in matching])

    def _check_open(self) -> None:
        if self._closed:
            raise ValueError("the partition is closed")

    def _catch_up(self) -> None:
        self._check_open()
        for puts, deletes in self._log.writes[self._applied :]:
            self._entries.update(puts)
            for key in deletes:
                self._entries.pop(key, None)
        self._applied = len(self._log.writes)


class MemoryReader(_MemoryPartition):
    """Implements `feature_store.port.ReadPartition`: behind its writer until it catches up."""

    def catch_up(self) -> None:
        self._catch_up()

    def close(self) -> None:
        self._closed = True


class MemoryWriter(_MemoryPartition):
    """Implements `feature_store.port.WritePartition`."""

    def __init__(self, log: _Log) -> None:
        super().__init__(log)
        log.owned = True

    def catch_up(self) -> None:
        """Nothing to do: a writer reads what it wrote."""

    def write(self, puts: Sequence[tuple[bytes, bytes]], deletes: Sequence[bytes] = ()) -> None:
        self._check_open()
        self._log.writes.append((list(puts), list(deletes)))
        self._catch_up()

    def purge(self, keys: Sequence[bytes]) -> None:
        """Takes earlier values out of what readers still follow."""
        gone = set(keys)
        for number, (puts, deletes) in enumerate(self._log.writes):
            self._log.writes[number] = [put for put in puts if put[0] not in gone], deletes
        self.write([(key, value) for key in gone if (value := self._entries.get(key)) is not None])

    def checkpoint(self, folder: Path) -> None:
        """A file of all entries; `MemoryStore(partitions, folder.parent)` reads it when named like a partition."""
        self._check_open()
        if folder.exists():
            raise OperatorError(f"{folder} exists already; a copy needs a folder of its own")
        folder.mkdir(parents=True)
        (folder / _COPY_FILE).write_bytes(msgspec.msgpack.encode(list(self._entries.items())))

    def close(self) -> None:
        if not self._closed:
            self._closed = True
            self._log.owned = False


class MemoryStore:
    """A store of `partitions` partitions; implements `feature_store.port.Store`.

    Lives as long as this object, whose readers and writers share it.
    `copies`: folder whose checkpoints (`<copies>/<partition:04d>`) it begins with.
    """

    def __init__(self, partitions: int, copies: Path | None = None) -> None:
        self.partitions = partitions
        self._logs = [_Log() for _ in range(partitions)]
        for partition, log in enumerate(self._logs):
            file = copies / f"{partition:04d}" / _COPY_FILE if copies is not None else None
            if file is not None and file.exists():
                log.writes.append((msgspec.msgpack.decode(file.read_bytes(), type=list[tuple[bytes, bytes]]), []))

    def writer(self, partition: int) -> MemoryWriter:
        log = self._log(partition)
        if log.owned:
            raise OperatorError(
                f"partition {partition} is open for writing in pid {os.getpid()} (this process); "
                f"a partition has one writer: close that one first"
            )
        return MemoryWriter(log)

    def reader(self, partition: int) -> MemoryReader:
        return MemoryReader(self._log(partition))

    def _log(self, partition: int) -> _Log:
        if not 0 <= partition < self.partitions:
            raise ValueError(f"partition {partition} of a store of {self.partitions}")
        return self._logs[partition]
