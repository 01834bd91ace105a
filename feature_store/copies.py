"""Consistent copies of whole partitions, also of partitions that another process is writing."""

from __future__ import annotations

import time
from pathlib import Path

from feature_store.port import Store
from feature_store.rocks.checkpoint_requests import PendingCheckpoint
from feature_store.rocks.files import partition_folder, read_store_info
from feature_store.rocks.ownership import live_owner
from feature_store.rocks.store import RocksStore
from feature_store.server.copy import write_copy
from schemas.errors import OperatorError, TransientError

_POLL_S = 0.05


def copy_partition(store: Store, partition: int, target: Path) -> None:
    """A partition of a store that answers readers, at `target` as a partition of RocksDB: one consistent view of it.

    As `request_checkpoint`, without its owner's help. Raises what the store's readers do.
    """
    reader = store.reader(partition)
    try:
        write_copy(reader.scan(), target)
    finally:
        reader.close()


def request_checkpoint(store_folder: Path, partition: int, target: Path, timeout_s: float = 60.0) -> None:
    """A consistent copy of `partition` at `target`, made by the owner, or here when no owner runs.

    `target` must not exist and appears whole; on the store's own file system
    it consists of hard links. A `target` of `partition_folder(copy, partition)`
    makes `RocksStore(copy, partitions)` a store. A partition never written
    gives an empty copy. Raises `OperatorError` (no store there, target
    exists) and `TransientError` when `timeout_s` passes without an answer.
    """
    info = read_store_info(store_folder)
    if info is None:
        raise OperatorError(f"no store at {store_folder}; name the folder that holds store.json")
    if target.exists():
        raise OperatorError(f"{target} exists already; a copy needs a folder of its own")
    store = RocksStore(store_folder, info.partitions, lock_wait_s=0.0)
    folder = partition_folder(store_folder, partition)
    deadline = time.monotonic() + timeout_s
    pending = PendingCheckpoint(folder, target)
    try:
        while True:
            answer = pending.answer()
            if answer is not None:
                if answer.error:
                    raise OperatorError(f"the owner of {folder} could not copy it to {target}: {answer.error}")
                return
            owner = live_owner(folder)
            if owner is None and _copy_here(store, partition, target, pending):
                return
            if time.monotonic() >= deadline:
                who = f"its owner, {owner}," if owner else "the process that has it locked"
                raise TransientError(
                    "checkpoint_timeout",
                    f"store partition {folder}: {who} made no copy within {timeout_s:g} s; is it stopped? "
                    f"Ask again with another target",
                )
            time.sleep(_POLL_S)
    finally:
        pending.withdraw()


def _copy_here(store: RocksStore, partition: int, target: Path, pending: PendingCheckpoint) -> bool:
    """False when somebody has just taken the partition: then that one is to answer."""
    try:
        writer = store.writer(partition)
    except OperatorError:
        return False
    try:
        pending.withdraw()  # before our own server thread finds it
        if not target.exists():  # an owner that ended just now may have made it
            writer.checkpoint(target)
    finally:
        writer.close()
    return True
