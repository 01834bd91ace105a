"""Base features of a made-up shop: what tells its things apart is weak, and what their views differ by is strong."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from indexing.learned.half import half
from indexing.look.looks import Tuned
from indexing.look.stored import encode_tuning
from indexing.look.tuning import TunedBlock, Tuning
from schemas.features.blocks import COLOUR, HEAD, SHAPE, TEXTURE, Block, blocks_of, spans
from schemas.features.ids import tuned_id
from schemas.full_index.learned import checksum_of

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


FEATURES = "efficientnet_lite0_blocks-57934424-p1-3284"
"""Base features of the real network's blocks, of which the rows here are made up."""


def base_rows(count: int, seed: int) -> NDArray[np.float32]:
    """(count, 3284) of unit length, each block with its share."""
    random = np.random.default_rng(seed)
    rows = [random.normal(0.3, 1.0, (count, block.length)) for block in blocks_of(FEATURES)]
    halves = [each / np.linalg.norm(each, axis=1, keepdims=True) / 2 for each in rows]
    return np.concatenate(halves, axis=1).astype(np.float32)


def small_tuning(seed: int, numbers: int = 4) -> Tuning:
    """Of no use, and cheap: `numbers` of each block."""
    random = np.random.default_rng(seed)
    parts = []
    for block in blocks_of(FEATURES):
        directions = half(random.normal(0.0, 1.0, (block.length, numbers)))
        means = (half(random.normal(0.0, 0.01, block.length)) for _ in range(2))
        parts.append(TunedBlock(block, 1.0, directions, *means))
    return Tuning(FEATURES, tuple(parts))


def small_look(seed: int, numbers: int = 4) -> Tuned:
    tuning = small_tuning(seed, numbers)
    return Tuned(tuning, tuned_id(FEATURES, checksum_of(encode_tuning(tuning)), tuning.dimension))
