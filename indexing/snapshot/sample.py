"""Images drawn from a shard's files without loading them.

Queries for an index that nobody has asked yet, and lessons for what is learned from it.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from indexing.rows.forward import ROW_DTYPE
from indexing.rows.text_buffer import CHUNK_SPAN
from indexing.rows.usable import searchable_rows
from indexing.snapshot.snapshot import map_lists, map_text_chunks
from schemas.full_index.manifest import MANIFEST, decode_manifest


@dataclass(frozen=True, slots=True)
class Pictures:
    """Images with what is said of them: vectors (n, dimension) float32, the first 8 bytes of each image's product
    hash (n,) uint64, and each one's attributes, JSON."""

    vectors: NDArray[np.float32]
    products: NDArray[np.uint64]
    attributes: list[bytes]


def sample_files(folder: Path, count: int, random: np.random.Generator) -> NDArray[np.float32]:
    """Vectors of at most `count` searchable images, drawn evenly, n x dimension.

    Checks no checksum. Raises `CorruptError` for a manifest that was altered, `OSError` for a missing file.
    """
    return _drawn(folder, count, random)[1]


def sample_pictures(folder: Path, count: int, random: np.random.Generator) -> Pictures:
    """At most `count` searchable images, drawn evenly, with what is said of them. Checks and raises the same."""
    rows, vectors = _drawn(folder, count, random)
    chunks = map_text_chunks(folder) if len(rows) else []
    attributes = []
    for offset, size in zip(rows["attributes_offset"].tolist(), rows["attributes_size"].tolist(), strict=True):
        chunk, begin = divmod(offset, CHUNK_SPAN)
        attributes.append(bytes(chunks[chunk][begin : begin + size]) if size else b"{}")
    products = np.ascontiguousarray(rows["image_id"]).view("<u8").reshape(-1, 2)[:, 0]
    return Pictures(vectors, products, attributes)


def _drawn(folder: Path, count: int, random: np.random.Generator) -> tuple[NDArray[Any], NDArray[np.float32]]:
    """(records, vectors) in the same order."""
    manifest = decode_manifest((folder / MANIFEST).read_bytes())
    if manifest.searchable == 0 or count == 0:
        return np.empty(0, ROW_DTYPE), np.empty((0, manifest.dimension), np.float32)
    rows = np.memmap(folder / "rows.bin", dtype=ROW_DTYPE, mode="r")
    numbers = np.flatnonzero(searchable_rows(rows))
    drawn = np.zeros(len(rows), dtype=np.bool_)
    drawn[random.choice(numbers, min(count, len(numbers)), replace=False)] = True
    parts = [(vectors[drawn[ids]], ids[drawn[ids]]) for vectors, ids in map_lists(folder, manifest).parts()]
    order = np.concatenate([ids for _, ids in parts])
    return np.array(rows[order]), np.concatenate([vectors for vectors, _ in parts])
