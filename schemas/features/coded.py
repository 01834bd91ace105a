"""Base features as bytes, one a number: what a store and a stream are to carry (docs/adr/0043).

A row is, for each block in turn, its greatest magnitude as float32, little endian, then its numbers in 127ths of that
as int8.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from schemas.errors import CorruptError
from schemas.features.blocks import Block, spans

_MOST = 127
_SCALE_BYTES = 4


def coded_length(blocks: Sequence[Block]) -> int:
    """Bytes of a row."""
    return sum(_SCALE_BYTES + block.length for block in blocks)


def encode_base(rows: NDArray[np.float32], blocks: Sequence[Block]) -> list[bytes]:
    """Each of (n, sum of lengths) by itself: equal rows give equal bytes, whatever is beside them.

    Raises `ValueError` for other rows, and for numbers that are not finite.
    """
    if rows.shape[1] != sum(block.length for block in blocks) or not np.isfinite(rows).all():
        raise ValueError(f"rows of {rows.shape[1]} numbers are no finite base features of {len(blocks)} blocks")
    parts = []
    for span in spans(blocks):
        most = np.abs(rows[:, span]).max(axis=1, keepdims=True).astype("<f4")
        unit = np.where(most > 0.0, most, np.float32(1.0))
        coded = np.round(rows[:, span] / unit * np.float32(_MOST)).astype(np.int8)
        parts += [most.view(np.uint8).reshape(len(rows), _SCALE_BYTES), coded.view(np.uint8)]
    return [row.tobytes() for row in np.hstack(parts)]


def decode_base(coded: Sequence[bytes], blocks: Sequence[Block]) -> NDArray[np.float32]:
    """(n, sum of lengths), off by at most a 254th of a block's greatest number. Raises `CorruptError`."""
    length = coded_length(blocks)
    if any(len(row) != length for row in coded):
        raise CorruptError(f"base features of {len(blocks)} blocks are {length} bytes; rebuild from image-features")
    table = np.frombuffer(b"".join(coded), np.uint8).reshape(len(coded), length)
    rows = np.empty((len(coded), sum(block.length for block in blocks)), np.float32)
    begin = 0
    for block, span in zip(blocks, spans(blocks), strict=True):
        most = np.ascontiguousarray(table[:, begin : begin + _SCALE_BYTES]).view("<f4")
        if not (np.isfinite(most) & (most >= 0.0)).all():
            raise CorruptError(f"block {block.name} has no greatest number; rebuild from image-features")
        begin += _SCALE_BYTES
        rows[:, span] = table[:, begin : begin + block.length].view(np.int8) * (most / np.float32(_MOST))
        begin += block.length
    return rows
