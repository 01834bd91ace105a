"""Codes that stand for vectors in a scan, whatever they are made of."""

from __future__ import annotations

from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from indexing.lists.kinds import IndexKind
from indexing.lists.projection import ByteProjection, byte_width, projection_of
from indexing.lists.quantisation import Quantiser, quantised_bytes


class Codec(Protocol):
    """Encodes vectors, and makes the faiss indexes that scan codes. Never changes; any thread.

    A code is kept as `width` float32 words, so that `InvertedLists` holds codes
    as it holds vectors.
    """

    @property
    def kind(self) -> IndexKind: ...

    @property
    def dimension(self) -> int: ...

    @property
    def width(self) -> int: ...

    @property
    def parameters(self) -> NDArray[np.float32]:
        """What `codec_of` makes the same codec from."""

    def encode(self, vectors: NDArray[np.float32]) -> NDArray[np.float32]:
        """Codes as words, (n, width)."""

    def encode_scanned(self, scanned: NDArray[np.float32]) -> NDArray[np.float32]:
        """The same of vectors as `scanned` gives them."""

    def scanned(self, vectors: NDArray[np.float32]) -> NDArray[np.float32]:
        """Queries and centroids as a scan takes them."""

    def make_index(self, quantizer: Any, width: int, lists: int) -> Any:
        """A faiss index without lists of its own that scans codes; see `indexing.lists.view`."""


def codec_of(kind: IndexKind, dimension: int, parameters: NDArray[np.float32]) -> Codec:
    """The codec with these parameters. Raises `ValueError` where they are not as many as the kind has."""
    if kind is IndexKind.IVF_PCA:
        return projection_of(dimension, parameters)
    return Quantiser(kind, dimension, parameters)


def train_codec(kind: IndexKind, sample: NDArray[np.float32], seed: int) -> Codec:
    """A codec for vectors like those of the sample, the same for the same sample and seed."""
    return ByteProjection.train(sample, seed) if kind is IndexKind.IVF_PCA else Quantiser.train(kind, sample, seed)


def code_bytes(kind: IndexKind, dimension: int) -> int:
    """Bytes of one code. Raises `OperatorError` for a dimension that the kind cannot take."""
    return byte_width(dimension) if kind is IndexKind.IVF_PCA else quantised_bytes(kind, dimension)
