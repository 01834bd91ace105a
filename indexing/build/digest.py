"""Digests of built rows from the files that hold their images: what a searcher will show, and nothing else.

Row, texts and vector are read where a searcher finds them, so that an offset,
a length or a list entry that is wrong gives another digest than the
catalogue's, and the publication refuses the shard.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence

import numpy as np
from numpy.typing import NDArray

from indexing.rows.digest import NO_VECTOR, image_digest, vector_hash
from indexing.rows.usable import VALID

_BLOCK_ROWS = 1 << 12
_SHIFT = 32
_POSITION = (1 << _SHIFT) - 1


def fill_digests(
    rows: NDArray[np.void],
    texts: Sequence[memoryview],
    lists: Iterable[tuple[NDArray[np.float32], NDArray[np.int64]]],
    categories: Sequence[bytes],
    brands: Sequence[bytes],
    *,
    hashed: bool = False,
) -> None:
    """Writes `vector_hash` and `digest` of all rows, in place.

    rows: records of `forward.ROW_DTYPE`, writable. texts: chunks that they
    point into. lists: (vectors, row numbers) of each list. A row that is in no
    list has no vector, whatever its `vector_seq` says. hashed: the rows have
    the hashes of their features, which cannot be told from the vectors any more.
    """
    hashes = np.zeros(len(rows), dtype="V16")
    for vectors, numbers in lists:
        if hashed:
            hashes[numbers] = rows["vector_hash"][numbers]
            continue
        size = vectors.shape[1] * vectors.itemsize
        data = np.ascontiguousarray(vectors).reshape(-1).view(np.uint8).data
        found = b"".join([vector_hash(data[start : start + size]) for start in range(0, len(data), size)])
        hashes[numbers] = np.frombuffer(found, dtype="V16")
    for start in range(0, len(rows), _BLOCK_ROWS):
        block = rows[start : start + _BLOCK_ROWS]
        block["vector_hash"] = hashes[start : start + _BLOCK_ROWS]
        digests = b"".join(_digests(np.array(block), texts, categories, brands))
        block["digest"] = np.frombuffer(digests, dtype="V16")


def _digests(
    block: NDArray[np.void], texts: Sequence[memoryview], categories: Sequence[bytes], brands: Sequence[bytes]
) -> list[bytes]:
    """The digest of each row; zeros for a removed image."""
    digests = []
    for (
        image_id, state_seq, image_seq, vector_seq, price, sales, praise, identity, attributes,
        product_size, url_size, attributes_size, category, brand, flags, vector, _,
    ) in block.tolist():  # fmt: skip
        if not flags & VALID:
            digests.append(NO_VECTOR)
            continue
        at = identity & _POSITION
        names = texts[identity >> _SHIFT][at : at + product_size + url_size] if product_size + url_size else b""
        at = attributes & _POSITION
        digests.append(
            image_digest(
                image_id,
                names[:product_size],
                names[product_size:],
                categories[category],
                brands[brand],
                texts[attributes >> _SHIFT][at : at + attributes_size] if attributes_size else b"",
                state_seq=state_seq,
                image_seq=image_seq,
                price=price,
                sales=sales,
                praise=praise,
                vector_seq=vector_seq,
                vector=vector,
            )
        )
    return digests
