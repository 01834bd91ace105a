"""The store port on RocksDB: a folder per partition, one writing process each, any number of readers.

    <store>/store.json          number of partitions; a store cannot be opened with another
    <store>/0003/db/            the RocksDB database
    <store>/0003/owner.json     the process that has it open for writing (ownership.py)
    <store>/0003/requests/      asks for a consistent copy (checkpoint_requests.py)

This is the only module that knows rocksdict. Facts about rocksdict 0.3.29 that
it stands on, each measured or read in its source:

- `write`, `try_catch_up_with_primary` and `Checkpoint.create_checkpoint` hold
  the GIL, `flush` and batched gets do not. None of them waits for the GIL with
  a RocksDB mutex held, so a checkpoint from another thread cannot deadlock
  with a writer (189 checkpoints beside 79,000 batches: every copy consistent).
  A checkpoint writes the memtable out first, which would stop the owner for up
  to 140 ms; flushing before it, without the GIL, leaves hard links to make.
- `Rdict.items()` ends silently at a damaged block; `Rdict.iter()` has a status to ask.
- A live iterator keeps the database open, and locked, after `close`: scans
  are closed with their partition.
- A secondary that catches up while its owner flushes can miss what was flushed
  (`RocksReader._follow`): 50 of 7,830 times beside an owner that flushed every
  20 batches, none of 10,440 since it looks again.
- A secondary must keep all files open (`max_open_files` -1, the default): the
  owner's compactions delete files under it.
"""

from __future__ import annotations

import logging
import os
import tempfile
import time
import weakref
from collections.abc import Generator, Iterator, Sequence
from pathlib import Path
from typing import Any, Literal

import msgspec
from rocksdict import (
    AccessType,
    BlockBasedOptions,
    Cache,
    Checkpoint,
    DBCompressionType,
    Options,
    Rdict,
    ReadOptions,
    WriteBatch,
)

from feature_store.checkpoint_requests import CheckpointServer
from feature_store.ownership import erase_owner, live_owner, record_owner, write_atomically
from feature_store.rocks_errors import is_lock_error, translated
from feature_store.secondary_folders import secondary_folder
from schemas.errors import CorruptError, OperatorError, VitrineError

log = logging.getLogger(__name__)

Compression = Literal["none", "lz4", "zstd"]

STORE_FILE = "store.json"
DATABASE = "db"
_LOCK_RETRY_S = 0.1
_SECONDARY_ATTEMPTS = 5
_FOLLOW_ATTEMPTS = 20
_PURGES_APART = 16
"""So many keys are compacted one by one; more of them as one range, which may be the whole database."""


class StoreInfo(msgspec.Struct, frozen=True):
    """Contents of `store.json`."""

    partitions: int
    format: int = 1


def partition_folder(folder: Path, partition: int) -> Path:
    """Where a partition of the store at `folder` lies; a checkpoint put there makes it part of a store copy."""
    return folder / f"{partition:04d}"


def read_store_info(folder: Path) -> StoreInfo | None:
    """None when there is no store at `folder` yet."""
    try:
        return msgspec.json.decode((folder / STORE_FILE).read_bytes(), type=StoreInfo)
    except FileNotFoundError:
        return None
    except msgspec.MsgspecError as error:
        raise CorruptError(
            f"{folder / STORE_FILE} does not decode ({error}); restore it or rebuild the store"
        ) from error


class RocksStore:
    """A store in `folder` of `partitions` partitions; implements `feature_store.port.Store`.

    `lock_wait_s`: how long `writer` waits for the process that holds the
    partition (a restarting worker's predecessor may still be dying).
    `cache_mb`: block cache shared by all partitions opened through this
    object; `write_buffer_mb`: memtable of each (three at most at a time).
    `rebuild`: what a `CorruptError` tells the operator to do once the folder
    is removed. Compression is off by default: float32 vectors do not shrink,
    while product records do, at no loss of speed (benchmarks/results/store.json).
    """

    def __init__(
        self,
        folder: Path,
        partitions: int,
        *,
        lock_wait_s: float = 15.0,
        cache_mb: int = 32,
        write_buffer_mb: int = 16,
        compression: Compression = "none",
        rebuild: str = "run `vitrine rebuild-features`",
    ) -> None:
        self.folder = folder.absolute()
        self.partitions = partitions
        self._lock_wait_s = lock_wait_s
        self._cache = Cache(cache_mb * 1024 * 1024)
        self._write_buffer = write_buffer_mb * 1024 * 1024
        self._compression = compression
        self._rebuild = rebuild
        self._check_partitions()

    def writer(self, partition: int) -> RocksWriter:
        folder = self._partition_folder(partition)
        (folder / DATABASE).mkdir(parents=True, exist_ok=True)
        if not self._check_partitions():
            write_atomically(self.folder / STORE_FILE, msgspec.json.encode(StoreInfo(self.partitions)))
        return RocksWriter(folder, self._options(), self._lock_wait_s, self._rebuild)

    def reader(self, partition: int) -> RocksReader:
        self._check_partitions()
        return RocksReader(self._partition_folder(partition), self._options(), self._rebuild)

    def _partition_folder(self, partition: int) -> Path:
        if not 0 <= partition < self.partitions:
            raise ValueError(f"partition {partition} of a store of {self.partitions}")
        return partition_folder(self.folder, partition)

    def _check_partitions(self) -> bool:
        """False when the store does not exist yet."""
        info = read_store_info(self.folder)
        if info is not None and info.partitions != self.partitions:
            raise OperatorError(
                f"store {self.folder} has {info.partitions} partitions, the settings say {self.partitions}: "
                f"put the setting back, or remove the store and {self._rebuild}"
            )
        return info is not None

    def _options(self) -> Any:
        table = BlockBasedOptions()
        table.set_block_cache(self._cache)
        table.set_block_size(16 * 1024)
        table.set_bloom_filter(10, False)
        table.set_cache_index_and_filter_blocks(True)
        table.set_pin_l0_filter_and_index_blocks_in_cache(True)
        options = Options(raw_mode=True)
        options.create_if_missing(True)
        options.set_block_based_table_factory(table)
        options.set_compression_type(getattr(DBCompressionType, self._compression)())
        options.set_write_buffer_size(self._write_buffer)
        options.set_max_write_buffer_number(3)
        options.set_max_total_wal_size(4 * self._write_buffer)
        options.set_level_compaction_dynamic_level_bytes(True)
        options.set_max_background_jobs(2)
        options.set_max_open_files(-1)
        options.set_keep_log_file_num(2)
        options.set_max_log_file_size(1024 * 1024)
        options.set_stats_dump_period_sec(0)
        return options


class _RocksPartition:
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


class RocksWriter(_RocksPartition):
    """The right to write one partition; implements `feature_store.port.WritePartition`.

    One thread calls it. A thread of its own answers requests for copies
    (checkpoint_requests.py), which RocksDB allows beside writes.
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


class RocksReader(_RocksPartition):
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
