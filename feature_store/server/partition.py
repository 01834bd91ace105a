"""What the reader and the writer of a partition share, which is all of reading."""

from __future__ import annotations

import weakref
from collections.abc import Generator, Iterator, Sequence

from feature_store.server.keys import PartitionKeys
from feature_store.server.line import Line
from feature_store.server.view import View
from schemas.access.store import StoreServer


class ServerReader:
    """Reads what the server has now, never less; implements `feature_store.port.ReadPartition`. One thread calls it."""

    def __init__(self, server: StoreServer, keys: PartitionKeys) -> None:
        self._server = server
        self._keys = keys
        self._line = Line(server, keys.token)
        self._closed = False
        self._scans: weakref.WeakSet[Generator[tuple[bytes, bytes], None, None]] = weakref.WeakSet()

    def get_many(self, keys: Sequence[bytes]) -> list[bytes | None]:
        self._check_open()
        if not keys:
            return []
        records = self._keys.records
        (values,) = self._line.call(("MGET", *[records + key for key in keys]))
        return values  # type: ignore[no-any-return]

    def catch_up(self) -> None:
        """Nothing to do: every call reads what the server has by then."""
        self._check_open()

    def scan(self, prefix: bytes = b"") -> Iterator[tuple[bytes, bytes]]:
        """As of the first entry that is taken. Holds the keys in memory: about 100 bytes each."""
        self._check_open()
        scan = self._scan(prefix)
        self._scans.add(scan)
        return scan

    def close(self) -> None:
        self._closed = True
        for scan in list(self._scans):
            scan.close()
        self._line.close()

    def _scan(self, prefix: bytes) -> Generator[tuple[bytes, bytes], None, None]:
        view = View(Line(self._server, self._keys.token), self._keys)
        try:
            yield from view.entries(prefix)
        finally:
            view.close()

    def _check_open(self) -> None:
        if self._closed:
            raise ValueError(f"store partition {self._keys.text} is closed")
