"""The owner's side of a partition: one transaction a write, in one round trip.

A write must go through only while the token is the writer's own, and must
keep what it writes over for each view that is being read. Both are conditions,
and a transaction has none but WATCH. So the connection always watches the
token and the set of views, read right behind the last write, in its round
trip: a change of either since then, and EXEC does nothing.
"""

from __future__ import annotations

import logging
import os
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from feature_store.server import holder
from feature_store.server.copy import write_copy
from feature_store.server.errors import translated
from feature_store.server.holder import holder_of, lease, let_go, take, this_holder
from feature_store.server.keys import PartitionKeys
from feature_store.server.line import Command
from feature_store.server.partition import ServerReader
from feature_store.server.rewriting import rewrite
from feature_store.server.view import ABSENT, PRESENT
from schemas.access.store import StoreServer
from schemas.errors import OperatorError, TransientError

log = logging.getLogger(__name__)

_ATTEMPTS = 100
"""Of one write; each but the last was overtaken by a view that began or ended."""


class ServerWriter(ServerReader):
    """The right to write one partition; implements `feature_store.port.WritePartition`. One thread calls it."""

    def __init__(self, server: StoreServer, keys: PartitionKeys, lock_wait_s: float) -> None:
        super().__init__(server, keys)
        self._holder = this_holder()
        self._token = take(self._line, keys, self._holder, lock_wait_s)
        self._leased_at = 0.0
        self._watching: list[Command] = [
            ("WATCH", keys.token, keys.copies),
            ("GET", keys.token),
            ("SMEMBERS", keys.copies),
        ]
        self._watched: tuple[bytes | None, list[bytes]] | None = None
        log.info("event=store_partition_opened partition=%s token=%s pid=%d", keys.text, self._token.decode(),
                 os.getpid())  # fmt: skip

    def write(self, puts: Sequence[tuple[bytes, bytes]], deletes: Sequence[bytes] = ()) -> None:
        """Raises `OperatorError` when another has opened the partition since, having written nothing.

        After a `TransientError` the write is whole or was not done.
        """
        self._check_open()
        name = self._keys.record
        kept = {name(key): value for key, value in puts}
        gone = [name(key) for key in deletes]
        for key in gone:
            kept.pop(key, None)
        commands: list[Command] = [("MULTI",)]
        now = time.monotonic()
        renews = now - self._leased_at >= holder.LEASE_S / 5
        if renews:
            commands.append(lease(self._keys, self._holder))
        if kept:
            commands.append(("MSET", *[part for entry in kept.items() for part in entry]))
        if gone:
            commands.append(("UNLINK", *gone))
        for _ in range(_ATTEMPTS):
            views = self._views()
            noting = self._note_earlier(views, [*kept, *gone]) if views else []
            answers = self._line.call(*commands, *noting, ("EXEC",), *self._watching)
            done, _, token, left = answers[-4:]
            self._watched = (token, left)
            if done is not None:
                self._check_done(done)
                self._leased_at = now if renews else self._leased_at
                return
        raise TransientError(
            "store_busy", f"store partition {self._keys.text}: views of it begin and end without a pause; try again"
        )

    def purge(self, keys: Sequence[bytes]) -> None:
        """Has the server write its log, or its tables, anew; what that takes grows with all that it holds."""
        self._check_open()
        if keys:
            rewrite(self._line)

    def checkpoint(self, folder: Path) -> None:
        """A partition of RocksDB, read over a consistent view."""
        self._check_open()
        write_copy(self.scan(), folder)

    def close(self) -> None:
        if self._closed:
            return
        let_go(self._line, self._keys, self._holder, self._token)
        super().close()
        log.info("event=store_partition_closed partition=%s pid=%d", self._keys.text, os.getpid())

    def _views(self) -> list[bytes]:
        """Views being read, as they are watched. Raises `OperatorError` when the partition is another's."""
        if self._watched is None or not self._line.connected:
            _, token, views = self._line.call(*self._watching)
            self._watched = (token, views)
        token, views = self._watched
        if token == self._token:
            return views
        self._watched = None
        if token is None:
            raise OperatorError(
                f"store partition {self._keys.text} is not on the server {self._line.address} any more: it came back "
                f"without what it held, or was emptied; nothing was written: vitrine stop, and vitrine start, which "
                f"reads product-events anew"
            )
        other = holder_of(self._line, self._keys)
        raise OperatorError(
            f"store partition {self._keys.text} was opened for writing by {other or 'a process that has ended'} since "
            f"(its token is {token.decode()}, ours {self._token.decode()}); nothing was written: a partition has one "
            f"writer, so stop one of the two"
        )

    def _note_earlier(self, views: list[bytes], names: list[bytes]) -> list[Command]:
        """For each view whose reader lives what is written over now; a view whose reader has died is cleared away."""
        keys = self._keys
        alive, earlier = self._line.call(("MGET", *[keys.alive(view) for view in views]), ("MGET", *names))
        commands: list[Command] = []
        for view, lives in zip(views, alive, strict=True):
            if lives is None:
                commands += [("SREM", keys.copies, view), ("UNLINK", keys.changed(view))]
                continue
            for name, value in zip(names, earlier, strict=True):
                commands.append(("HSETNX", keys.changed(view), name, ABSENT if value is None else PRESENT + value))
        return commands

    def _check_done(self, done: list[Any]) -> None:
        """A command that fails inside a transaction does not undo the others'."""
        for answer in done:
            if isinstance(answer, Exception):
                raise translated(answer, self._line.address) from answer
