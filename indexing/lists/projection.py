"""The directions in which vectors have most of their energy, and codes that are a vector's numbers along them."""

from __future__ import annotations

from typing import Any

import faiss as _faiss
import numpy as np
from numpy.typing import NDArray

from indexing.lists.kinds import IndexKind
from indexing.lists.view import flat_index

faiss: Any = _faiss  # its type stubs lack half of what SWIG exports

PROJECTED = 128
"""Numbers of a projection."""
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
        # By faiss and not by numpy, whose BLAS has threads of its own.
        self._transform = faiss.LinearTransform(dimension, self.width, False)
        faiss.copy_array_to_vector(np.ascontiguousarray(parameters, dtype=np.float32), self._transform.A)
        self._transform.is_trained = True

    @classmethod
    def train(cls, sample: NDArray[np.float32]) -> Projection:
        dimension = sample.shape[1]
        return cls(dimension, np.ascontiguousarray(principal_axes(sample)[:, : min(PROJECTED, dimension)].T).ravel())

    def encode(self, vectors: NDArray[np.float32]) -> NDArray[np.float32]:
        """See `Codec.encode`."""
        projected: NDArray[np.float32] = self._transform.apply(np.ascontiguousarray(vectors))
        return projected

    def scanned(self, vectors: NDArray[np.float32]) -> NDArray[np.float32]:
        """See `Codec.scanned`."""
        return self.encode(vectors)

    def make_index(self, quantizer: Any, width: int, lists: int) -> Any:
        """See `Codec.make_index`."""
        return flat_index(quantizer, width, lists)
