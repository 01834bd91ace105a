"""All columns at once, from the rows of a forward index that was restored."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from indexing.attributes.columns import Columns
from indexing.attributes.encoder import Encoded
from indexing.rows.forward import ForwardIndex
from indexing.rows.usable import SAID, SUPERSEDED, colours_of_rows, searchable_rows, valid_rows
from schemas.features.objects import shown_code
from schemas.features.said import objects_said
from schemas.query.fields import MEASURES, Fields

_TEXTS_AT_ONCE = 4096


def load_columns(fields: Fields, forward: ForwardIndex, picture_colours: bool = True) -> Columns:
    """Columns over these rows, which nobody writes meanwhile; superseded rows stand for nothing.

    Rows whose image ids begin with the same 8 bytes are of one product, and
    products are numbered anew. Each text is read once for each set of what
    the pictures of the rows that refer to it show. By chunks of rows and of texts, so that no call holds the GIL for
    long: queries of another shard are answered meanwhile.
    """
    columns = Columns(fields, picture_colours)
    columns.reserve(len(forward))
    valid, searchable = np.zeros(len(forward), np.bool_), np.zeros(len(forward), np.bool_)
    numbers, hashes = [np.empty(0, np.int64)], [np.empty(0, np.uint64)]
    offsets, sizes = [np.empty(0, np.uint64)], [np.empty(0, np.uint32)]
    shown = [np.empty(0, np.int64)]
    for first, part in forward.parts():
        valid[first : first + len(part)] = valid_rows(part)
        searchable[first : first + len(part)] = searchable_rows(part)
        alive = np.flatnonzero(part["flags"] & SUPERSEDED == 0)
        for name in MEASURES:
            figures = part[name][alive]
            columns.fill(name, alive + first, np.where(figures < 0, np.nan, figures) if name == "sales" else figures)
        numbers.append(alive + first)
        hashes.append(np.ascontiguousarray(part["image_id"][alive]).view("<u8")[::2])
        offsets.append(part["attributes_offset"][alive])
        sizes.append(part["attributes_size"][alive])
        shown.append(_shown(forward, first, part)[alive])
    rows = np.concatenate(numbers)
    product = np.full(len(forward), -1, np.int32)
    product[rows] = np.unique(np.concatenate(hashes), return_inverse=True)[1]
    columns.fill_states(valid, searchable, product)
    _fill_attributes(columns, forward, rows, np.concatenate(offsets), np.concatenate(sizes), np.concatenate(shown))
    return columns


def _shown(forward: ForwardIndex, first: int, part: NDArray[Any]) -> NDArray[np.int64]:
    """Of these records, from row `first` on: codes of what their pictures show (`schemas.features.objects`), (n,)."""
    codes = colours_of_rows(part).astype(np.int64)
    for place in np.flatnonzero(part["flags"] & SAID).tolist():
        codes[place] = shown_code(int(codes[place]), objects_said(forward.said_of(forward.read(first + place))))
    return codes


def _fill_attributes(
    columns: Columns,
    forward: ForwardIndex,
    rows: NDArray[np.int64],
    offsets: NDArray[np.uint64],
    sizes: NDArray[np.uint32],
    shown: NDArray[np.int64],
) -> None:
    """Of these rows, (n,), from the texts that they refer to, each with its offset and size, and from what is shown."""
    # In the order of the texts: the rows of one lie together, and so do texts in memory.
    used = np.flatnonzero((sizes > 0) | (shown > 0))
    order = used[np.lexsort((shown[used], offsets[used]))]
    rows, offsets, sizes, shown = rows[order], offsets[order], sizes[order], shown[order]
    others = (offsets[1:] != offsets[:-1]) | (sizes[1:] != sizes[:-1]) | (shown[1:] != shown[:-1])
    begins = np.flatnonzero(np.concatenate(([True], others))[: len(rows)])
    counts = np.diff(begins, append=len(rows))
    for start in range(0, len(begins), _TEXTS_AT_ONCE):
        firsts, repeats = begins[start : start + _TEXTS_AT_ONCE], counts[start : start + _TEXTS_AT_ONCE]
        encoded = []
        of_texts = zip(offsets[firsts].tolist(), sizes[firsts].tolist(), shown[firsts].tolist(), strict=True)
        for offset, size, code in of_texts:
            text = forward.texts.read(offset, size)
            assert text is not None, "the texts of living rows are there"
            encoded.append(columns.encoder.encode(text, code))
        _fill(columns, rows[firsts[0] : firsts[-1] + repeats[-1]], encoded, repeats)


def _fill(columns: Columns, rows: NDArray[np.int64], encoded: Sequence[Encoded], repeats: NDArray[np.int64]) -> None:
    """encoded: of each text; repeats: how many of the rows, one behind the other, refer to it."""
    encoder = columns.encoder
    for field, cells in zip(encoder.dense, zip(*(each.cells for each in encoded), strict=True), strict=True):
        columns.fill(field.name, rows, np.repeat(np.array(cells), repeats))
    for field, lists in zip(encoder.lists, zip(*(each.lists for each in encoded), strict=True), strict=True):
        columns.fill_lists(field.name, rows, lists, repeats)
