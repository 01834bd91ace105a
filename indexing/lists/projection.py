"""The directions in which vectors have most of their energy, and codes that are a vector's numbers along them.

A byte a number (`ByteProjection`): what a scan loses by it is far below what
the projection loses, and a row that is looked up by its number costs two cache
lines of memory instead of eight. Four bytes a number (`Projection`) are what
lists on disk have from before.
"""

from __future__ import annotations

from typing import Any

import faiss as _faiss
import numpy as np
from numpy.typing import NDArray

from indexing.lists.kinds import IndexKind
from indexing.lists.quantisation import Quantiser
from indexing.lists.view import flat_index

faiss: Any = _faiss  # its type stubs lack half of what SWIG exports

PROJECTED = 128
"""Numbers of a projection, at most."""
_WORD = 4
_LEVELS = 255
_AXES_ROWS = 1 << 14


def principal_axes(vectors: NDArray[np.float32]) -> NDArray[np.float32]:
    """Orthonormal directions by falling energy of the vectors, (dimension, dimension): a column each.

    Of the second moment and not of the covariance, since inner products are to be kept: no mean is taken off.
    """
    sample = vectors[:: max(1, len(vectors) // _AXES_ROWS)]
    _, axes = np.linalg.eigh(np.asarray(sample.T @ sample, dtype=np.float64))
    return np.ascontiguousarray(axes[:, ::-1], dtype=np.float32)


class Projection:
    """A `Codec`: the code is the projection itself, so queries and centroids are projected too."""

    kind = IndexKind.IVF_PCA

    def __init__(self, dimension: int, parameters: NDArray[np.float32]) -> None:
        """parameters: the axes, one behind the other. Raises `ValueError` for another number of them."""
        self.dimension = dimension
        self.width = min(PROJECTED, dimension)
        self.parameters = parameters
        if len(parameters) != dimension * self.width:
            raise ValueError(f"{len(parameters)} parameters of a projection instead of {dimension * self.width}")
        self._transform = _transform(dimension, parameters)

    @classmethod
    def train(cls, sample: NDArray[np.float32]) -> Projection:
        dimension = sample.shape[1]
        return cls(dimension, np.ascontiguousarray(principal_axes(sample)[:, : min(PROJECTED, dimension)].T).ravel())

    def encode(self, vectors: NDArray[np.float32]) -> NDArray[np.float32]:
        """See `Codec.encode`."""
        return self.scanned(vectors)

    def encode_scanned(self, scanned: NDArray[np.float32]) -> NDArray[np.float32]:
        """See `Codec.encode_scanned`."""
        return scanned

    def scanned(self, vectors: NDArray[np.float32]) -> NDArray[np.float32]:
        """See `Codec.scanned`."""
        projected: NDArray[np.float32] = self._transform.apply(np.ascontiguousarray(vectors))
        return projected

    def scores(self, query: NDArray[np.float32], codes: NDArray[np.float32]) -> NDArray[np.float32]:
        """What a scan would say of codes that were gathered, (n,): by `query`, one as scanned."""
        found: NDArray[np.float32] = codes @ query
        return found

    def make_index(self, quantizer: Any, width: int, lists: int) -> Any:
        """See `Codec.make_index`."""
        return flat_index(quantizer, width, lists)


class ByteProjection:
    """A `Codec`: the projection in bytes, each number's range divided into steps by faiss's 8-bit form.

    Where the projection has no multiple of four numbers there are zeros at the
    end, since codes are whole words.
    """

    kind = IndexKind.IVF_PCA

    def __init__(self, dimension: int, parameters: NDArray[np.float32]) -> None:
        """parameters: the axes, one behind the other, then those of the `Quantiser`, a lowest and a range a number.

        Raises `ValueError` for another number of them.
        """
        self.dimension = dimension
        numbers = byte_width(dimension)
        self.parameters = parameters
        if len(parameters) != (dimension + 2) * numbers:
            expected = (dimension + 2) * numbers
            raise ValueError(f"{len(parameters)} parameters of a projection in bytes instead of {expected}")
        self._transform = _transform(dimension, parameters[: dimension * numbers])
        ranges = np.ascontiguousarray(parameters[dimension * numbers :], dtype=np.float32)
        self._bytes = Quantiser(IndexKind.IVF_SQ8, numbers, ranges)
        self.width = self._bytes.width
        lowest, span = ranges.reshape(2, -1)
        self._step = span / np.float32(_LEVELS)
        # A byte stands for the middle of its step.
        self._at_zero = lowest + self._step / 2

    @classmethod
    def train(cls, sample: NDArray[np.float32], seed: int) -> ByteProjection:
        dimension = sample.shape[1]
        axes = np.zeros((byte_width(dimension), dimension), dtype=np.float32)
        axes[: min(PROJECTED, dimension)] = principal_axes(sample)[:, : min(PROJECTED, dimension)].T
        projected = _transform(dimension, axes.ravel()).apply(np.ascontiguousarray(sample))
        ranges = Quantiser.train(IndexKind.IVF_SQ8, projected, seed).parameters
        return cls(dimension, np.concatenate([axes.ravel(), ranges]))

    def encode(self, vectors: NDArray[np.float32]) -> NDArray[np.float32]:
        """See `Codec.encode`. A number past its range is the end of it."""
        return self.encode_scanned(self.scanned(vectors))

    def encode_scanned(self, scanned: NDArray[np.float32]) -> NDArray[np.float32]:
        """See `Codec.encode_scanned`."""
        return self._bytes.encode(scanned)

    def scanned(self, vectors: NDArray[np.float32]) -> NDArray[np.float32]:
        """See `Codec.scanned`."""
        projected: NDArray[np.float32] = self._transform.apply(np.ascontiguousarray(vectors))
        return projected

    def scores(self, query: NDArray[np.float32], codes: NDArray[np.float32]) -> NDArray[np.float32]:
        """See `Projection.scores`."""
        steps = codes.view(np.uint8).reshape(len(codes), -1).astype(np.float32)
        found: NDArray[np.float32] = steps @ (query * self._step)
        found += np.float32(query @ self._at_zero)
        return found

    def make_index(self, quantizer: Any, width: int, lists: int) -> Any:
        """See `Codec.make_index`."""
        return self._bytes.make_index(quantizer, width, lists)


def byte_width(dimension: int) -> int:
    """Bytes of a code: the numbers of a projection, as many as fill whole words."""
    return -(-min(PROJECTED, dimension) // _WORD) * _WORD


def projection_of(dimension: int, parameters: NDArray[np.float32]) -> Projection | ByteProjection:
    """The codec with these parameters, of which one in bytes has more. Raises `ValueError` as they do."""
    if len(parameters) == dimension * min(PROJECTED, dimension):
        return Projection(dimension, parameters)
    return ByteProjection(dimension, parameters)


def _transform(dimension: int, axes: NDArray[np.float32]) -> Any:
    """By faiss and not by numpy, whose BLAS has threads of its own."""
    transform = faiss.LinearTransform(dimension, len(axes) // dimension, False)
    faiss.copy_array_to_vector(np.ascontiguousarray(axes, dtype=np.float32), transform.A)
    transform.is_trained = True
    return transform
