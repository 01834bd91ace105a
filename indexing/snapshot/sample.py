"""Vectors of images drawn from a shard's files without loading them: queries for an index that nobody has asked yet."""

from __future__ import annotations

from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from indexing.rows.forward import ROW_DTYPE
from indexing.rows.usable import searchable_rows
from indexing.snapshot.snapshot import map_lists
from schemas.full_index.manifest import MANIFEST, decode_manifest


def sample_files(folder: Path, count: int, random: np.random.Generator) -> NDArray[np.float32]:
    """Vectors of at most `count` searchable images, drawn evenly, n x dimension.

    Checks no checksum. Raises `CorruptError` for a manifest that was altered, `OSError` for a missing file.
    """
    manifest = decode_manifest((folder / MANIFEST).read_bytes())
    if manifest.searchable == 0 or count == 0:
        return np.empty((0, manifest.dimension), np.float32)
    rows = np.memmap(folder / "rows.bin", dtype=ROW_DTYPE, mode="r")
    numbers = np.flatnonzero(searchable_rows(rows))
    drawn = np.zeros(len(rows), dtype=np.bool_)
    drawn[random.choice(numbers, min(count, len(numbers)), replace=False)] = True
    parts = map_lists(folder, manifest).parts()
    chosen: NDArray[np.float32] = np.concatenate([vectors[drawn[ids]] for vectors, ids in parts])
    return chosen
