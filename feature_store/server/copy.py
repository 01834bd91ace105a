"""A partition of a server as a partition of RocksDB, which batch jobs read."""

from __future__ import annotations

import tempfile
from collections.abc import Iterable
from pathlib import Path

from feature_store.rocks.store import RocksStore
from schemas.errors import OperatorError

_BATCH = 500


def write_copy(entries: Iterable[tuple[bytes, bytes]], folder: Path) -> None:
    """Appears whole at `folder`, which must not exist."""
    if folder.exists():
        raise OperatorError(f"{folder} exists already; a copy needs a folder of its own")
    folder.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(prefix=f".{folder.name}.", dir=folder.parent) as temporary:
        writer = RocksStore(Path(temporary), 1).writer(0)
        try:
            batch: list[tuple[bytes, bytes]] = []
            for entry in entries:
                batch.append(entry)
                if len(batch) == _BATCH:
                    writer.write(batch)
                    batch = []
            writer.write(batch)
            writer.checkpoint(folder)
        finally:
            writer.close()
