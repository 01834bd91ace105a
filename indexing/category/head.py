"""A head that tells a photo's category: multinomial logistic regression on base features. Needs numpy alone."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import msgspec
import numpy as np
from numpy.typing import NDArray

from indexing.learned.half import from_half_bytes, half_bytes
from indexing.learned.sealed import BUILD_ANEW, Sealed
from schemas.features.blocks import HEAD, SHAPE, Block, spans

TERM = 0.2
"""What being surely of a photo's category adds to a picture's likeness, by a head that is always right."""


@dataclass(frozen=True, slots=True)
class CategoryHead:
    """Of one extractor's base features. Any thread.

    names (k,): the categories. matrix (numbers, k), bias (k,) float32, with the digits of half precision. accuracy: how
    often it is right about pictures of products that it was not learned from.
    """

    extractor_id: str
    blocks: tuple[Block, ...]
    names: tuple[str, ...]
    accuracy: float
    matrix: NDArray[np.float32]
    bias: NDArray[np.float32]

    def probabilities(self, base: NDArray[np.float32]) -> NDArray[np.float32]:
        """(n, k): rows add up to 1. Raises `ValueError` for rows that are no base features of the extractor."""
        return softmax(clues(base, self.blocks) @ self.matrix + self.bias)

    def shares(self, base: NDArray[np.float32]) -> NDArray[np.float32]:
        """(n, k): probabilities, scaled so that the inner product of two rows that surely are of one category is what
        that adds to their likeness."""
        shares: NDArray[np.float32] = np.float32(np.sqrt(TERM * self.accuracy)) * self.probabilities(base)
        return shares


def clues(base: NDArray[np.float32], blocks: Sequence[Block]) -> NDArray[np.float32]:
    """What a category is told by, (n, numbers): the network's last layer, rooted, and the parts it sees.

    Texture and colour add nothing to them (docs/adr/0042). Raises `ValueError` for rows that are no base features.
    """
    if base.shape[1] != sum(block.length for block in blocks):
        raise ValueError(f"rows of {base.shape[1]} numbers, base features have {sum(b.length for b in blocks)}")
    by_name = {block.name: base[:, span] for block, span in zip(blocks, spans(blocks), strict=True)}
    return np.hstack([np.sqrt(np.maximum(by_name[HEAD], np.float32(0.0))), by_name[SHAPE]]).astype(np.float32)


def softmax(logits: NDArray[np.float32]) -> NDArray[np.float32]:
    """(n, k), by rows."""
    powers = np.exp(logits - logits.max(axis=1, keepdims=True))
    shares: NDArray[np.float32] = powers / powers.sum(axis=1, keepdims=True)
    return shares


class _Stored(msgspec.Struct, frozen=True, array_like=True):
    """`matrix` row by row, `bias`: float16, little endian."""

    extractor_id: str
    blocks: list[tuple[str, int]]
    names: list[str]
    accuracy: float
    matrix: bytes
    bias: bytes


_sealed = Sealed(b"vitrine category 1\n", _Stored, "the category head", BUILD_ANEW)


def encode_head(head: CategoryHead) -> bytes:
    """The same head gives the same bytes."""
    return _sealed.write(
        _Stored(
            head.extractor_id,
            [(block.name, block.length) for block in head.blocks],
            list(head.names),
            head.accuracy,
            half_bytes(head.matrix),
            half_bytes(head.bias),
        )
    )


def decode_head(data: bytes) -> CategoryHead:
    """Raises `CorruptError` for bytes that `encode_head` did not write."""
    return _sealed.read(data, _head)


def _head(stored: _Stored) -> CategoryHead:
    blocks = tuple(Block(name, length) for name, length in stored.blocks)
    size = sum(block.length for block in blocks if block.name in (HEAD, SHAPE))
    return CategoryHead(
        stored.extractor_id,
        blocks,
        tuple(stored.names),
        stored.accuracy,
        from_half_bytes(stored.matrix).reshape(size, len(stored.names)),
        from_half_bytes(stored.bias).reshape(len(stored.names)),
    )
