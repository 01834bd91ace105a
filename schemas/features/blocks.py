"""Base features: what an encoder tells of a picture in blocks, before anybody has learned which of it matters.

Each block lies in one row, one behind the other, and each has the same length there (a norm of 1/2 for four blocks), so
that the row has unit length and its inner product with another is the mean of the blocks' likenesses.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from schemas.features.ids import encoder_of

HEAD = "kind"
"""Mean of the network's last layer: what kind of thing it is."""
SHAPE = "shape"
"""Root of the mean of a late block's depthwise output: which parts it has."""
TEXTURE = "texture"
"""Logarithm of the covariance of an early block's channels over the picture: stripes, knit, prints."""
COLOUR = "colour"
"""Root of the smoothed Lab histogram of the foreground."""
CATEGORY = "category"
"""Of searched vectors alone: which of the shop's categories a picture shows (`indexing.category.head`)."""


@dataclass(frozen=True, slots=True)
class Block:
    """`name`: one of the above. `length`: of how many numbers."""

    name: str
    length: int


def spans(blocks: Sequence[Block]) -> list[slice]:
    """Where each block lies in a row."""
    found, begin = [], 0
    for block in blocks:
        found.append(slice(begin, begin + block.length))
        begin += block.length
    return found


_SUFFIX = "_blocks"
_HEAD = 1280
_COLOUR = 512
_NETWORKS = {"efficientnet_lite0": (672, 40), "efficientnet_lite1": (672, 40), "efficientnet_lite2": (720, 48)}
"""Of the layers that base features take (`vision.blocks.head`): numbers of the one's depthwise output, and channels of
the other, whose covariance has half their square."""


def blocks_of(name: str) -> tuple[Block, ...]:
    """The blocks of an encoder's, or extractor id's, base features, as they lie in a row; none where it has no such."""
    encoder = encoder_of(name)
    layers = _NETWORKS.get(encoder.removesuffix(_SUFFIX))
    if layers is None or not encoder.endswith(_SUFFIX):
        return ()
    widened, channels = layers
    texture = channels * (channels + 1) // 2
    return Block(HEAD, _HEAD), Block(SHAPE, widened), Block(TEXTURE, texture), Block(COLOUR, _COLOUR)
