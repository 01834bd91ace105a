"""Base features of a made-up shop: what tells its things apart is weak, and what their views differ by is strong."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from schemas.blocks import COLOUR, HEAD, SHAPE, TEXTURE, Block, spans

BLOCKS = (Block(HEAD, 24), Block(SHAPE, 16), Block(TEXTURE, 12), Block(COLOUR, 8))
SIGNAL = 4
"""The first numbers of each block tell things apart."""


def views_of(
    things: int, count: int, seed: int, signal_first: bool = True
) -> tuple[NDArray[np.float32], NDArray[np.int64]]:
    """(rows, of which thing each is). `signal_first` False: the last numbers of each block tell things apart."""
    random = np.random.default_rng(seed)
    rows = np.empty((things * count, sum(block.length for block in BLOCKS)), np.float32)
    numbers = np.repeat(np.arange(things), count)
    for block, span in zip(BLOCKS, spans(BLOCKS), strict=True):
        thing, noise = np.zeros((things, block.length)), random.normal(0.0, 0.3, (things * count, block.length))
        signal = slice(0, SIGNAL) if signal_first else slice(block.length - SIGNAL, block.length)
        thing[:, signal] = random.normal(0.0, 0.35, (things, SIGNAL))
        noise[:, signal] *= 0.1
        found = 0.2 + thing[numbers] + noise
        rows[:, span] = found / np.linalg.norm(found, axis=1, keepdims=True) / 2
    return rows, numbers.astype(np.int64)


def found_first(queries: NDArray[np.float32], items: NDArray[np.float32]) -> float:
    """Share of queries whose item, of the same number, is first."""
    return float(((queries @ items.T).argmax(axis=1) == np.arange(len(queries))).mean())
