"""A reader's side of a partition: a RocksDB secondary, a little behind its owner."""

from __future__ import annotations

import logging
import tempfile
import time
from pathlib import Path
from typing import Any

from rocksdict import AccessType, Rdict

from feature_store.rocks.files import DATABASE
from feature_store.rocks.partition import RocksPartition
from feature_store.rocks.secondary_folders import secondary_folder

log = logging.getLogger(__name__)

_SECONDARY_ATTEMPTS = 5
_FOLLOW_ATTEMPTS = 20


class RocksReader(RocksPartition):
    """A RocksDB secondary of one partition; implements `feature_store.port.ReadPartition`. One thread calls it."""

    def __init__(self, folder: Path, options: Any, rebuild: str) -> None:
        super().__init__(folder, rebuild)
        self._options = options
        self._secondary: tempfile.TemporaryDirectory[str] | None = None
        self._identity: tuple[int, int] | None = None
        self.catch_up()

    def catch_up(self) -> None:
        self._check_open()
        identity = self._read_identity()
        if identity is None:
            # Never written, or removed to be rebuilt: what was read before is not true any more.
            self._release()
            return
        if self._db is not None and identity == self._identity:
            try:
                self._follow()
                return
            except Exception as error:  # noqa: BLE001 - rocksdict raises nothing more exact; opening anew tells
                log.warning("event=secondary_reopened folder=%s reason=%r", self.folder, str(error))
        self._open(identity)

    def close(self) -> None:
        self._closed = True
        self._release()

    def _follow(self) -> None:
        """Reads what the owner has written, and again when a log ended meanwhile.

        RocksDB reads the list of tables first and the logs after it. What an
        owner flushes between the two is in neither: the table is not on the list
        yet, and its log is gone. Until the next time a reader would then see a
        later write and not the earlier one.
        """
        for _ in range(_FOLLOW_ATTEMPTS):
            logs = self._logs()
            self._db.try_catch_up_with_primary()
            if logs <= self._logs():
                return

    def _logs(self) -> set[Path]:
        """The owner's write-ahead logs; RocksDB numbers them and uses no number twice."""
        return set((self.folder / DATABASE).glob("*.log"))

    def _open(self, identity: tuple[int, int]) -> None:
        """Opening may lose a race against a compaction that deletes a file just listed: then it tries again."""
        self._release()
        for attempt in range(_SECONDARY_ATTEMPTS):
            self._secondary = secondary_folder()
            try:
                logs = self._logs()
                self._db = Rdict(
                    str(self.folder / DATABASE), self._options, access_type=AccessType.secondary(self._secondary.name)
                )
                if not logs <= self._logs():
                    self._follow()
                self._identity = identity
                return
            except Exception as error:
                self._release()
                if attempt + 1 == _SECONDARY_ATTEMPTS:
                    raise self._error(error) from error
                time.sleep(0.02 * 2**attempt)

    def _release(self) -> None:
        self._close_database()
        self._identity = None
        if self._secondary is not None:
            self._secondary.cleanup()
            self._secondary = None

    def _read_identity(self) -> tuple[int, int] | None:
        """Which database lies there (a rebuilt one has another IDENTITY file); None: none that can be opened."""
        database = self.folder / DATABASE
        if not (database / "CURRENT").exists():
            return None
        try:
            stat = (database / "IDENTITY").stat()
        except FileNotFoundError:
            return 0, 0  # a checkpoint has none until it is opened for writing
        return stat.st_ino, stat.st_mtime_ns
