"""The nearest centroid by comparing all of them on a graphics card: nothing that it could skip is worth the asking."""

from __future__ import annotations

import logging
from collections.abc import Sequence

import numpy as np
import torch
from numpy.typing import NDArray

from devices.fitting import Compute, Fitting, is_out_of_memory
from indexing.training.nearest import CentroidSearch
from indexing.training.search import NearestCentroid

log = logging.getLogger(__name__)

_AT_ONCE = 1 << 14
"""Vectors that are compared at once at most: half a gigabyte of inner products with 8,192 centroids."""


class CardSearch:
    """A `NearestCentroid` on a device of PyTorch's, which holds the centroids. Of equally near ones the first.

    The same for the same input on the same kind of card: nothing is added up in an order that changes.
    """

    def __init__(self, centroids: NDArray[np.float32], device: torch.device) -> None:
        """Raises `RuntimeError` where the device has no room for the centroids."""
        self._plain = np.ascontiguousarray(centroids, dtype=np.float32)
        self._device = device
        self._centroids = torch.from_numpy(self._plain).to(device).T
        self._parts = Fitting(self._compared, _AT_ONCE, self._without_card)

    def nearest(self, vectors: NDArray[np.float32]) -> tuple[NDArray[np.int32], NDArray[np.float32]]:
        if not len(vectors):
            return np.empty(0, np.int32), np.empty(0, np.float32)
        numbers, scores = self._parts(vectors)
        return numbers, scores

    def _compared(self, vectors: NDArray[np.float32]) -> Sequence[NDArray[np.generic]]:
        with torch.inference_mode():
            given = torch.from_numpy(np.array(vectors, dtype=np.float32)).to(self._device)
            scores, numbers = (given @ self._centroids).max(dim=1)
            return numbers.to(torch.int32).cpu().numpy(), scores.cpu().numpy()

    def _without_card(self) -> Compute:
        return CentroidSearch(self._plain).nearest


def card_search(
    device: torch.device, centroids: NDArray[np.float32], axes: NDArray[np.float32] | None
) -> NearestCentroid:
    """A `SearchOver` once the device is bound; by the processor where the card has no room for so many centroids."""
    try:
        return CardSearch(centroids, device)
    except RuntimeError as error:
        if not is_out_of_memory(error):
            raise
        log.warning("event=device_memory_full next=cpu centroids=%d problem=%s", len(centroids), str(error)[:200])
    return CentroidSearch(centroids, axes)
