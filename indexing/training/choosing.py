"""Whether k-means and assignment run on the processor or on a graphics card: as the setting says, or by measuring."""

from __future__ import annotations

import logging
import time
from functools import partial

import numpy as np
from numpy.typing import NDArray

from devices import AUTO, CPU
from devices.cards import has_cards
from indexing.training.nearest import CentroidSearch
from indexing.training.search import SearchOver

log = logging.getLogger(__name__)

_WORTH = 2e12
"""Multiplications from which on a card is thought of: some 20 s of a core, where loading PyTorch takes five.

Reckoned; not timed with a card.
"""
_TRIED = 4096
"""Vectors by which the two are compared."""


def choose_search(device: str, vectors: NDArray[np.float32], clusters: int, passes: int = 1) -> tuple[SearchOver, str]:
    """Who assigns vectors like these to so many centroids, and the name of its device for the manifest.

    device: as in the settings. `auto` is the processor where there is no card,
    or too little to do; else whichever is faster with a part of the vectors,
    which stands in the log. passes: how often all of them will be assigned.
    Raises `OperatorError` for a device that is not there.
    """
    work = float(len(vectors)) * vectors.shape[1] * clusters * passes
    if device == CPU or (device == AUTO and (not has_cards() or work < _WORTH)):
        return CentroidSearch, CPU
    from devices.named import devices_for  # PyTorch: seconds

    first, *others = devices_for(device)
    if first.type == CPU:
        return CentroidSearch, CPU
    from indexing.training.card import card_search

    by_card = partial(card_search, first)
    if not others:
        return by_card, str(first)
    sample = np.ascontiguousarray(vectors[:: max(1, len(vectors) // _TRIED)][:_TRIED], dtype=np.float32)
    centroids = np.ascontiguousarray(vectors[:: max(1, len(vectors) // clusters)][:clusters], dtype=np.float32)
    took_card, took_cpu = (_time(search, sample, centroids) for search in (by_card, CentroidSearch))
    chosen = str(first) if took_card < took_cpu else CPU
    log.info("event=training_device chosen=%s card_s=%.3f cpu_s=%.3f", chosen, took_card, took_cpu)
    return (CentroidSearch if chosen == CPU else by_card), chosen


def _time(search: SearchOver, vectors: NDArray[np.float32], centroids: NDArray[np.float32]) -> float:
    """Seconds of the second of two rounds: the first of a card includes waking it."""
    took = 0.0
    for _ in range(2):
        began = time.perf_counter()
        search(centroids, None).nearest(vectors)
        took = time.perf_counter() - began
    return took
