"""Who finds the nearest centroids: the port, and how to come by what stands behind it."""

from __future__ import annotations

from collections.abc import Callable
from typing import Protocol

import numpy as np
from numpy.typing import NDArray


class NearestCentroid(Protocol):
    """Over centroids (n, dimension) that do not change. One thread at a time.

    Exact but for the rounding of float32: of two centroids that are equally
    near to the sixth digit either may be the answer.
    """

    def nearest(self, vectors: NDArray[np.float32]) -> tuple[NDArray[np.int32], NDArray[np.float32]]:
        """(number of the centroid of greatest inner product, that product) of each vector, (n,) each."""


SearchOver = Callable[[NDArray[np.float32], NDArray[np.float32] | None], NearestCentroid]
"""Centroids, and the axes of vectors like those to come, or None where nobody knows them, to who searches them."""
