"""The directions in which vectors have most of their energy: what a scan by a few numbers instead of all goes by."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

_AXES_ROWS = 1 << 14


def principal_axes(vectors: NDArray[np.float32]) -> NDArray[np.float32]:
    """Orthonormal directions by falling energy of the vectors, (dimension, dimension): a column each.

    Of the second moment and not of the covariance, since inner products are to be kept: no mean is taken off.
    """
    sample = vectors[:: max(1, len(vectors) // _AXES_ROWS)]
    _, axes = np.linalg.eigh(np.asarray(sample.T @ sample, dtype=np.float64))
    return np.ascontiguousarray(axes[:, ::-1], dtype=np.float32)
