"""What the reader and the writer of a partition share: gets, scans, and an end."""

from __future__ import annotations

import weakref
from collections.abc import Generator, Iterator, Sequence
from pathlib import Path
from typing import Any

from rocksdict import ReadOptions

from feature_store.rocks.errors import translated
from schemas.errors import VitrineError


class RocksPartition:
    """What readers and writers share. Belongs to one thread."""

    def __init__(self, folder: Path, rebuild: str) -> None:
        self.folder = folder
        self._rebuild = rebuild
        self._db: Any = None
        self._closed = False
        self._scans: weakref.WeakSet[Generator[tuple[bytes, bytes], None, None]] = weakref.WeakSet()

    def get_many(self, keys: Sequence[bytes]) -> list[bytes | None]:
        self._check_open()
        if self._db is None:
            return [None] * len(keys)
        if not keys:
            return []
        try:
            values: list[bytes | None] = self._db.get(list(keys))
        except Exception as error:
            raise self._error(error) from error
        return values

    def scan(self, prefix: bytes = b"") -> Iterator[tuple[bytes, bytes]]:
        self._check_open()
        scan = self._scan(prefix)
        self._scans.add(scan)
        return scan

    def _scan(self, prefix: bytes) -> Generator[tuple[bytes, bytes], None, None]:
        if self._db is None:
            return
        # A RocksDB iterator is a consistent view as of its creation; a pass over everything must not empty the cache.
        options = ReadOptions()
        options.fill_cache(False)  # type: ignore[call-arg]  # its stub forgets the argument
        try:
            entries = self._db.iter(options)
            entries.seek(prefix)
            while entries.valid():
                key = entries.key()
                if not key.startswith(prefix):
                    return
                yield key, entries.value()
                entries.next()
            entries.status()  # raises when damage ended the pass, not the last entry
        except Exception as error:
            raise self._error(error) from error

    def _check_open(self) -> None:
        if self._closed:
            raise ValueError(f"store partition {self.folder} is closed")

    def _close_database(self) -> None:
        for scan in list(self._scans):
            scan.close()
        if self._db is not None:
            self._db.close()
            self._db = None

    def _error(self, error: Exception) -> VitrineError:
        return translated(error, self.folder, self._rebuild)
