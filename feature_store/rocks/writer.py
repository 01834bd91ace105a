"""The owner's side of a partition."""

from __future__ import annotations

import logging
import os
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from rocksdict import Checkpoint, Rdict, WriteBatch

from feature_store.rocks.checkpoint_requests import CheckpointServer
from feature_store.rocks.errors import is_lock_error, translated
from feature_store.rocks.files import DATABASE
from feature_store.rocks.ownership import erase_owner, live_owner, record_owner
from feature_store.rocks.partition import RocksPartition
from schemas.errors import OperatorError

log = logging.getLogger(__name__)

_LOCK_RETRY_S = 0.1
_PURGES_APART = 16
"""So many keys are compacted one by one; more of them as one range, which may be the whole database."""


class RocksWriter(RocksPartition):
    """The right to write one partition; implements `feature_store.port.WritePartition`.

    One thread calls it. A thread of its own answers requests for copies
    (`checkpoint_requests`), which RocksDB allows beside writes.
    """

    def __init__(self, folder: Path, options: Any, lock_wait_s: float, rebuild: str) -> None:
        super().__init__(folder, rebuild)
        self._db = _open_locked(folder, options, lock_wait_s, rebuild)
        record_owner(folder)
        self._server = CheckpointServer(folder, self.checkpoint)
        log.info("event=store_partition_opened folder=%s pid=%d", folder, os.getpid())

    def write(self, puts: Sequence[tuple[bytes, bytes]], deletes: Sequence[bytes] = ()) -> None:
        self._check_open()
        batch = WriteBatch(raw_mode=True)
        for key, value in puts:
            batch.put(key, value)
        for key in deletes:
            batch.delete(key)
        try:
            self._db.write(batch)
        except Exception as error:
            raise self._error(error) from error

    def purge(self, keys: Sequence[bytes]) -> None:
        """Writes the memtable out, and with it drops its log, then compacts the tables that may hold the keys."""
        self._check_open()
        ranges = [(key, key + b"\0") for key in keys]
        if len(ranges) > _PURGES_APART:
            ranges = [(min(keys), max(keys) + b"\0")]
        try:
            self._db.flush(True)
            for begin, end in ranges:
                self._db.compact_range(begin, end)
        except Exception as error:
            raise self._error(error) from error

    def catch_up(self) -> None:
        """Nothing to do: a writer reads what it wrote."""

    def checkpoint(self, folder: Path) -> None:
        """May be called from any thread."""
        self._check_open()
        if folder.exists():
            raise OperatorError(f"{folder} exists already; a copy needs a folder of its own")
        folder.parent.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryDirectory(prefix=f".{folder.name}.", dir=folder.parent) as temporary:
            whole = Path(temporary) / "partition"
            whole.mkdir()
            try:
                self._db.flush(True)
                Checkpoint(self._db).create_checkpoint(str(whole / DATABASE))
            except Exception as error:
                raise self._error(error) from error
            whole.rename(folder)

    def close(self) -> None:
        if self._closed:
            return
        self._server.close()
        self._closed = True
        erase_owner(self.folder)
        self._close_database()
        log.info("event=store_partition_closed folder=%s pid=%d", self.folder, os.getpid())


def _open_locked(folder: Path, options: Any, wait_s: float, rebuild: str) -> Any:
    """Opens for writing, waiting up to `wait_s` for a predecessor to let go."""
    deadline = time.monotonic() + wait_s
    told = False
    while True:
        try:
            return Rdict(str(folder / DATABASE), options)
        except Exception as error:
            if not is_lock_error(error):
                raise translated(error, folder, rebuild) from error
            owner = live_owner(folder)
            if time.monotonic() >= deadline:
                who = f"{owner}" if owner else f"a process that left no name (`fuser {folder / DATABASE / 'LOCK'}`)"
                raise OperatorError(
                    f"store partition {folder} is open for writing in {who}; a partition has one writer: stop that "
                    f"process, or wait until it has ended (waited {wait_s:g} s)"
                ) from error
            if not told:
                log.info("event=store_partition_busy folder=%s owner=%r wait_s=%g", folder, str(owner), wait_s)
                told = True
        time.sleep(_LOCK_RETRY_S)
