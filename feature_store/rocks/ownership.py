"""Who owns a partition: `owner.json` beside the database, for people and for requesters of copies.

RocksDB's own LOCK decides who may write; this file only says who that is. A
process killed hard leaves its file behind, so a reader checks that the pid
still runs and began when the file says.
"""

from __future__ import annotations

import os
import time
from pathlib import Path

import msgspec

from feature_store.owner import Owner, runs, this_process

OWNER_FILE = "owner.json"


def record_owner(folder: Path) -> None:
    """To be called with the lock held."""
    write_atomically(folder / OWNER_FILE, msgspec.json.encode(this_process()))


def erase_owner(folder: Path) -> None:
    (folder / OWNER_FILE).unlink(missing_ok=True)


def live_owner(folder: Path) -> Owner | None:
    """The recorded owner of this partition's folder, if it still runs."""
    try:
        owner = msgspec.json.decode((folder / OWNER_FILE).read_bytes(), type=Owner)
    except (FileNotFoundError, msgspec.MsgspecError):
        return None
    return owner if runs(owner.pid, owner.started_s) else None


def write_atomically(file: Path, data: bytes) -> None:
    """Readers see the old file or the whole new one."""
    temporary = file.with_name(f".{file.name}.{os.getpid()}.{time.monotonic_ns()}")
    temporary.write_bytes(data)
    temporary.replace(file)
