"""The store ports: what the stages need of a store, batch-shaped.

Three adapters exist (`rocks`, `server`, `memory`), one contract suite runs over
all. The shape (`get_many`, `write`) fits RocksDB and servers that speak the
Redis protocol. Every partition has exactly one writer at a time.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Protocol


class ReadPartition(Protocol):
    """One partition, read-only; possibly behind its writer."""

    def get_many(self, keys: Sequence[bytes]) -> list[bytes | None]:
        """Values in the order of `keys`, None where there is none."""

    def catch_up(self) -> None:
        """Makes what the writer has written until now readable. Free for a writer's own handle."""

    def scan(self, prefix: bytes = b"") -> Iterator[tuple[bytes, bytes]]:
        """All entries whose key begins with `prefix`, in key order, over a consistent view."""

    def close(self) -> None: ...


class WritePartition(ReadPartition, Protocol):
    """One partition and the right to write it."""

    def write(self, puts: Sequence[tuple[bytes, bytes]], deletes: Sequence[bytes] = ()) -> None:
        """Applies all or nothing; survives the death of the process (not of the machine) once it returns.

        Raises `OperatorError`, having written nothing, when the partition has become another writer's.
        """

    def purge(self, keys: Sequence[bytes]) -> None:
        """Returns when no earlier value of these keys is on the disk. Costs rewriting the files that they lie in.

        Copies (`checkpoint`) made before keep what they have.
        """

    def checkpoint(self, folder: Path) -> None:
        """A consistent copy, as RocksDB keeps a partition, at the new folder `folder`; by hard links where it can."""


class Store(Protocol):
    """A partitioned store."""

    def writer(self, partition: int) -> WritePartition:
        """The partition's only writer. Raises `OperatorError` naming the process that holds it already."""

    def reader(self, partition: int) -> ReadPartition:
        """A secondary. A partition that was never written reads as empty, and catches up once it is."""
