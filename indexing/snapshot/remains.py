"""What a shard's files still hold of a product, read from the bytes on the disk."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from indexing.rows.forward import ROW_DTYPE
from indexing.snapshot.current import read_current
from schemas.ids import product_hash


def remains(folder: Path, product_id: str) -> int:
    """Rows of the product in these files, dead ones too, that have a text or a vector; an erased row has neither.

    Loads nothing and checks no checksum. Raises `OSError` when the files are not there (any more).
    """
    file = folder / "rows.bin"
    if not file.stat().st_size:
        return 0
    rows = np.memmap(file, dtype=ROW_DTYPE, mode="r")
    halves = rows["image_id"].copy().view("<u8").reshape(-1, 2)
    own = rows[halves[:, 0] == int.from_bytes(product_hash(product_id), "little")]
    texts = own["product_size"].astype(np.int64) + own["url_size"] + own["attributes_size"]
    vectors = own["vector_hash"].copy().view("<u8").reshape(-1, 2).any(axis=1)
    return int(((texts > 0) | vectors).sum())


def snapshot_remains(folder: Path, product_id: str) -> int:
    """The same of the current snapshot in `folder`; 0 where there is none. One that is replaced meanwhile is read anew.

    Raises `OSError` when that happens again and again.
    """
    return read_current(folder, lambda snapshot: remains(snapshot, product_id)) or 0
