"""The map itself: a text's vector to a direction in the space of pictures. Needs numpy alone.

Kernel ridge regression (Saunders, Gammerman and Vovk 1998) on `support`, some
of the texts it was learned from: what a text looks like is a sum over them,
each weighed by how near it is in meaning.
"""

from __future__ import annotations

from dataclasses import dataclass

import msgspec
import numpy as np
from numpy.typing import NDArray

from indexing.learned.half import from_half_bytes, half_bytes
from indexing.learned.sealed import BUILD_ANEW, Sealed


@dataclass(frozen=True, slots=True)
class MeaningMap:
    """From one text encoder's vectors to one extractor's. Any thread.

    support (m, d) float32: text vectors. looks (m, D) float32: what each adds. Both have the digits of half precision
    alone. sharpness: how fast a text's influence falls with its distance, exp(sharpness (cosine - 1)).
    """

    text_encoder_id: str
    extractor_id: str
    sharpness: float
    support: NDArray[np.float32]
    looks: NDArray[np.float32]

    def apply(self, text_vectors: NDArray[np.float32]) -> NDArray[np.float32]:
        """(n, d) to (n, D) float32 rows of unit length: to be asked for by inner product, as a photo's vector is.

        They lead away from the catalogue's mean picture, so an inner product with a picture tells how much more than
        the mean picture it fits; it is not a likeness like a photo's. A row of zeros stays one.
        """
        looks = kernel(text_vectors, self.support, self.sharpness) @ self.looks
        looks[~text_vectors.any(axis=1)] = 0.0
        return unit(looks)


def kernel(left: NDArray[np.float32], right: NDArray[np.float32], sharpness: float) -> NDArray[np.float32]:
    """(n, m): how near rows of unit length are, 1 for the same."""
    near: NDArray[np.float32] = np.exp(np.float32(sharpness) * (left @ right.T - np.float32(1.0)))
    return near


def unit(rows: NDArray[np.float32]) -> NDArray[np.float32]:
    """Rows divided by their lengths; zeros stay."""
    lengths = np.linalg.norm(rows, axis=1, keepdims=True)
    divided: NDArray[np.float32] = rows / np.where(lengths == 0.0, np.float32(1.0), lengths)
    return divided


class _Stored(msgspec.Struct, frozen=True, array_like=True):
    """`support`, `looks`: float16, little endian, row by row."""

    text_encoder_id: str
    extractor_id: str
    sharpness: float
    rows: int
    text_dimension: int
    dimension: int
    support: bytes
    looks: bytes


_sealed = Sealed(b"vitrine meaning 1\n", _Stored, "the map of meaning", BUILD_ANEW)


def encode_map(meaning: MeaningMap) -> bytes:
    """The same map gives the same bytes."""
    return _sealed.write(
        _Stored(
            meaning.text_encoder_id,
            meaning.extractor_id,
            meaning.sharpness,
            meaning.support.shape[0],
            meaning.support.shape[1],
            meaning.looks.shape[1],
            half_bytes(meaning.support),
            half_bytes(meaning.looks),
        )
    )


def decode_map(data: bytes) -> MeaningMap:
    """Raises `CorruptError` for bytes that `encode_map` did not write."""
    return _sealed.read(data, _map)


def _map(stored: _Stored) -> MeaningMap:
    return MeaningMap(
        stored.text_encoder_id,
        stored.extractor_id,
        stored.sharpness,
        from_half_bytes(stored.support).reshape(stored.rows, stored.text_dimension),
        from_half_bytes(stored.looks).reshape(stored.rows, stored.dimension),
    )
