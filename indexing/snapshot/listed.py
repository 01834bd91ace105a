"""All images of a shard that can be found, from its files, without loading it."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import msgspec
import numpy as np
from numpy.typing import NDArray

from indexing.rows.forward import ROW_DTYPE
from indexing.rows.text_buffer import CHUNK_SPAN
from indexing.rows.usable import searchable_rows
from indexing.snapshot.snapshot import map_lists, map_text_chunks
from schemas.doubles import colour_of
from schemas.full_index.manifest import MANIFEST, decode_manifest

_decoder = msgspec.json.Decoder(dict[str, Any])


@dataclass(frozen=True, slots=True)
class ListedImage:
    """`price`: NaN where it is not known. `colour`: see `schemas.doubles`."""

    product_id: str
    url: str
    price: float
    colour: str


@dataclass(frozen=True, slots=True)
class Listed:
    """vectors: (n, dimension) float32, a row for each of `images`."""

    extractor_id: str
    vectors: NDArray[np.float32]
    images: list[ListedImage]


def listed_images(folder: Path) -> Listed:
    """Those that a search could show as of these files.

    Checks no checksum. Raises `CorruptError` for a manifest that was altered, `OSError` for a missing file.
    """
    manifest = decode_manifest((folder / MANIFEST).read_bytes())
    if manifest.searchable == 0:
        return Listed(manifest.extractor_id, np.empty((0, manifest.dimension), np.float32), [])
    rows = np.memmap(folder / "rows.bin", dtype=ROW_DTYPE, mode="r")
    wanted = searchable_rows(rows)
    parts = [(vectors[wanted[ids]], ids[wanted[ids]]) for vectors, ids in map_lists(folder, manifest).parts()]
    shown = rows[np.concatenate([ids for _, ids in parts])]
    chunks = map_text_chunks(folder)

    def text(offset: int, size: int) -> bytes:
        chunk, begin = divmod(offset, CHUNK_SPAN)
        return bytes(chunks[chunk][begin : begin + size])

    images = []
    names = ("identity_offset", "product_size", "url_size", "attributes_offset", "attributes_size", "price")
    for identity, product, url, attributes, size, price in zip(*(shown[n].tolist() for n in names), strict=True):
        named = text(identity, product + url)
        colour = colour_of(_decoder.decode(text(attributes, size))) if size else ""
        images.append(ListedImage(named[:product].decode(), named[product:].decode(), price, colour))
    return Listed(manifest.extractor_id, np.concatenate([vectors for vectors, _ in parts]), images)
