"""The store port on RocksDB: opens partitions, with options for small records and one owner each."""

from __future__ import annotations

from pathlib import Path
from typing import Any, Literal

import msgspec
from rocksdict import BlockBasedOptions, Cache, DBCompressionType, Options

from feature_store.rocks.files import DATABASE, STORE_FILE, StoreInfo, partition_folder, read_store_info
from feature_store.rocks.ownership import write_atomically
from feature_store.rocks.reader import RocksReader
from feature_store.rocks.writer import RocksWriter
from schemas.errors import OperatorError

Compression = Literal["none", "lz4", "zstd"]


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
