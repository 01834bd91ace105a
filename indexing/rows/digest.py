"""The digest: one number that says whether two indexes hold the same images, states and vectors.

An image's digest is a 128-bit hash of everything a searcher could show of it;
an index's digest is their sum modulo 2**128 over its *valid* images. A sum
does not depend on order and is kept up to date by one subtraction and one
addition per change, so the streamed index, the rebuilt index and the
catalogue can be compared at any time by comparing 16 bytes.
"""

from __future__ import annotations

import struct
from hashlib import blake2b

import numpy as np
from numpy.typing import NDArray

DIGEST_SIZE = 16
NO_VECTOR = bytes(DIGEST_SIZE)
"""Stands for the vector hash of an image without a usable vector; its `vector_seq` counts as 0."""

_MODULUS_MASK = (1 << 128) - 1
_NUMBERS = struct.Struct("<16sqqqdqd16s5I")
_NAN = float("nan")


def vector_hash(vector: bytes | memoryview) -> bytes:
    """16 bytes of BLAKE2b over the little-endian float32 bytes."""
    return blake2b(vector, digest_size=DIGEST_SIZE).digest()


def image_digest(
    image_id: bytes,
    product_id: bytes,
    url: bytes,
    category: bytes,
    brand: bytes,
    attributes: bytes,
    *,
    state_seq: int,
    image_seq: int,
    price: float,
    sales: int,
    praise: float,
    vector_seq: int = 0,
    vector: bytes = NO_VECTOR,
) -> bytes:
    """Digest of one valid image; texts as UTF-8, `vector` as `vector_hash` of it.

    A vector older than the image (`vector_seq < image_seq`) is not usable and
    counts as none: whether a shard happened to see it must not matter.
    """
    if vector_seq < image_seq or vector == NO_VECTOR:
        vector_seq, vector = 0, NO_VECTOR
    head = _NUMBERS.pack(
        image_id,
        state_seq,
        image_seq,
        vector_seq,
        price if price == price else _NAN,  # one bit pattern for every NaN
        sales,
        praise if praise == praise else _NAN,
        vector,
        len(product_id),
        len(url),
        len(category),
        len(brand),
        len(attributes),
    )
    return blake2b(b"".join((head, product_id, url, category, brand, attributes)), digest_size=DIGEST_SIZE).digest()


def add_digest(total: int, digest: bytes) -> int:
    """`total` with an image more."""
    return (total + int.from_bytes(digest, "little")) & _MODULUS_MASK


def subtract_digest(total: int, digest: bytes) -> int:
    """`total` with an image less."""
    return (total - int.from_bytes(digest, "little")) & _MODULUS_MASK


def sum_digests(digests: NDArray[np.void]) -> int:
    """The sum of an array of digests (type V16)."""
    parts = np.frombuffer(digests.tobytes(), dtype="<u4").reshape(-1, 4).sum(axis=0, dtype=np.uint64)
    return sum(int(part) << (32 * place) for place, part in enumerate(parts)) & _MODULUS_MASK


def digest_bytes(total: int) -> bytes:
    """16 bytes, little-endian."""
    return total.to_bytes(DIGEST_SIZE, "little")
