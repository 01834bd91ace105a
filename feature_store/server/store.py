"""The store port on a server: opens partitions."""

from __future__ import annotations

import msgspec

from feature_store.rocks.files import StoreInfo
from feature_store.server.inspection import inspect
from feature_store.server.keys import PartitionKeys, store_key
from feature_store.server.line import Line
from feature_store.server.partition import ServerReader
from feature_store.server.writer import ServerWriter
from schemas.access.store import StoreServer
from schemas.errors import OperatorError


class ServerStore:
    """A store of `partitions` partitions on `server`; implements `feature_store.port.Store`.

    Unlike a folder's, it must have been made (`create`) before it is written:
    a server that lost everything must not be taken for a new store in the
    middle of the stream. `space`: which of the system's stores.
    `lock_wait_s`: how long `writer` waits for the process that holds the
    partition; longer than its lease, so that a machine that is away holds nothing up.
    """

    def __init__(self, server: StoreServer, space: str, partitions: int, *, lock_wait_s: float = 15.0) -> None:
        self.partitions = partitions
        self._server = server
        self._space = space
        self._lock_wait_s = lock_wait_s
        self._key = store_key(server.name, space)
        self._made = True

    def unmade(self) -> ServerStore:
        """The same, which is written before it is made."""
        store = ServerStore(self._server, self._space, self.partitions, lock_wait_s=self._lock_wait_s)
        store._made = False
        return store

    def inspect(self) -> None:
        """Raises `OperatorError` for a server that cannot be a store, `TransientError` for one that is away."""
        line = Line(self._server, self._key)
        try:
            inspect(line)
        finally:
            line.close()

    def exists(self) -> bool:
        """Raises `OperatorError` when it has another number of partitions."""
        line = Line(self._server, self._key)
        try:
            (found,) = line.call(("GET", self._key))
        finally:
            line.close()
        return found is not None and self._check(found)

    def create(self) -> bool:
        """Makes the store where there is none; returns whether there was none. Raises as `inspect` and `exists`.

        To be called where nothing is written yet, or everything will be read again.
        """
        self.inspect()
        line = Line(self._server, self._key)
        try:
            info = msgspec.json.encode(StoreInfo(self.partitions))
            made, found = line.call(("SET", self._key, info, "NX"), ("GET", self._key))
        finally:
            line.close()
        self._check(found)
        return made is not None

    def writer(self, partition: int) -> ServerWriter:
        keys = self._keys(partition)
        if self._made and not self.exists():
            raise OperatorError(
                f"there is no store {self._server.name}:{self._space} on the server {self._server}: it was never made, "
                f"or lost all it held; vitrine stop, and vitrine start, which makes it and reads product-events anew"
            )
        return ServerWriter(self._server, keys, self._lock_wait_s)

    def reader(self, partition: int) -> ServerReader:
        keys = self._keys(partition)
        self.exists()
        return ServerReader(self._server, keys)

    def _keys(self, partition: int) -> PartitionKeys:
        if not 0 <= partition < self.partitions:
            raise ValueError(f"partition {partition} of a store of {self.partitions}")
        return PartitionKeys(self._server.name, self._space, partition)

    def _check(self, found: bytes) -> bool:
        info = msgspec.json.decode(found, type=StoreInfo)
        if info.partitions != self.partitions:
            raise OperatorError(
                f"store {self._server.name}:{self._space} on {self._server} has {info.partitions} partitions, the "
                f"settings say {self.partitions}: put the setting back, or name another store by VITRINE_STORE_NAME"
            )
        return True
