"""What a row's flags say, and which vectors may be searched: one rule, for one row and for an array of them."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

VALID = 1
"""Flag: the state says that the image is on sale."""
SUPERSEDED = 2
"""Flag: the image got a new vector, hence another row; this one is dead for good."""

SAID_SHIFT = 2
"""Above these: how many bytes of what was read and seen in the picture lie behind the row's URL."""
SAID = 0x3FFF << SAID_SHIFT
COLOURS_SHIFT = 16
"""Above these: the colours that the picture of the row's vector shows, a code of `schemas.features.colours`."""
COLOURS = 0x7FFF << COLOURS_SHIFT


def is_usable(vector_seq: int, image_seq: int) -> bool:
    """The vector is there and not older than the image."""
    return 0 < vector_seq >= image_seq


def is_valid(flags: int) -> bool:
    """The row stands for an image on sale."""
    return flags & (VALID | SUPERSEDED) == VALID


def is_searchable(flags: int, vector_seq: int, image_seq: int) -> bool:
    """A search may return the row."""
    return flags & (VALID | SUPERSEDED) == VALID and 0 < vector_seq >= image_seq


def valid_rows(rows: NDArray[Any]) -> NDArray[np.bool_]:
    """Rows that stand for images on sale, shape (n,); `rows`: records of `forward.ROW_DTYPE`, mapped ones too."""
    valid: NDArray[np.bool_] = rows["flags"] & (VALID | SUPERSEDED) == VALID
    return valid


def colours_of_rows(rows: NDArray[Any]) -> NDArray[np.uint32]:
    """`forward.Row.colours` of each, shape (n,)."""
    vector_seq = rows["vector_seq"]
    usable = (vector_seq > 0) & (vector_seq >= rows["image_seq"])
    codes: NDArray[np.uint32] = np.where(usable, rows["flags"] >> COLOURS_SHIFT, 0)
    return codes


def identity_sizes(rows: NDArray[Any]) -> NDArray[np.int64]:
    """`forward.Row.identity_size` of each, shape (n,)."""
    sizes: NDArray[np.int64] = ((rows["flags"] & SAID) >> SAID_SHIFT).astype(np.int64)
    sizes += rows["product_size"]
    sizes += rows["url_size"]
    return sizes


def searchable_rows(rows: NDArray[Any]) -> NDArray[np.bool_]:
    """`is_searchable` of each, shape (n,). By columns: rows may be mapped from a file larger than memory."""
    vector_seq = rows["vector_seq"]
    found: NDArray[np.bool_] = valid_rows(rows) & (vector_seq > 0) & (vector_seq >= rows["image_seq"])
    return found
