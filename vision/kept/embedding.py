"""Embedding by a kept network, without PyTorch."""

from __future__ import annotations

import logging
from collections.abc import Callable
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from devices import AUTO, CPU
from devices.cards import has_cards
from vision.kept.folder import HEAD, NETWORK, kept_folder, read_manifest
from vision.kept.head import KeptHead

log = logging.getLogger(__name__)

Vectors = Callable[[NDArray[np.uint8]], NDArray[np.float32]]
"""Pictures (n, size, size, 3), RGB, to (n, dimension) of unit length."""


def device_here(extractor_id: str, device: str) -> str:
    """`device`, with `auto` decided as far as that needs no PyTorch: `cpu` without a card, else what was measured.

    It stays `auto` where there is a card and nobody has measured here.
    """
    if device != AUTO:
        return device
    if not has_cards():
        return CPU
    kept = read_manifest(kept_folder(extractor_id))
    return device if kept is None else kept.device


def kept_vectors(extractor_id: str, device: str, threads: int) -> Vectors | None:
    """What `vision.encoding.measured` would come to; None where no network is kept for here. Tenths of a second.

    `device`: kept networks are for `cpu` alone. `threads`: 0 for as many as PyTorch has.
    """
    folder = kept_folder(extractor_id)
    kept = read_manifest(folder)
    if kept is None or device != CPU:
        return None
    try:
        return read_vectors(folder, threads or kept.threads)
    except (RuntimeError, OSError, ValueError, KeyError) as error:
        log.warning("event=kept_network_unusable folder=%s next=measured_anew problem=%s", folder, str(error)[:300])
        return None


def read_vectors(folder: Path, threads: int) -> Vectors:
    """Raises `RuntimeError`, `OSError`, `ValueError` or `KeyError` for files that are not whole."""
    from vision.openvino.kept import KeptNetwork

    network = KeptNetwork(folder / NETWORK, threads)
    with np.load(folder / HEAD, allow_pickle=False) as arrays:
        head = KeptHead(dict(arrays))
    return lambda images: head(images, network(images))
