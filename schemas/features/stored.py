"""A feature's bytes, of whatever extractor: what the store keeps, and what a delta carries beside its image.

Base features are one byte a number (`schemas.features.coded`), and what a picture says may be behind them
(`schemas.features.said`); of every other extractor the bytes are its vector's, little-endian float32.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import lru_cache

import numpy as np
from numpy.typing import NDArray

from schemas.errors import CorruptError
from schemas.features.blocks import Block, blocks_of
from schemas.features.coded import coded_length, decode_base, encode_base
from schemas.features.said import may_be_said

_LONGEST = 1.01
"""Of a vector; a normalised one is 1 long, but for rounding."""


def feature_bytes(rows: NDArray[np.float32], extractor_id: str) -> list[bytes]:
    """Of each of (n, numbers). Equal rows give equal bytes, whatever is beside them."""
    if blocks := _blocks(extractor_id):
        return encode_base(rows, blocks)
    return [row.tobytes() for row in rows.astype("<f4")]


def feature_length(extractor_id: str, numbers: int) -> int:
    """Bytes of a feature of so many numbers, and nothing behind them."""
    blocks = _blocks(extractor_id)
    return coded_length(blocks) if blocks else 4 * numbers


def is_of_length(feature: bytes, length: int, extractor_id: str) -> bool:
    """Whether the feature has that many bytes, and behind them at most what a picture says, where that may be."""
    if len(feature) == length:
        return True
    return len(feature) > length and bool(_blocks(extractor_id)) and may_be_said(feature[length:])


def feature_rows(features: Sequence[bytes], extractor_id: str) -> NDArray[np.float32]:
    """(n, numbers), of features of one length but for what is behind it; not finite where `cannot_be` says so."""
    if blocks := _blocks(extractor_id):
        return _decoded(bare_features(features, extractor_id), blocks)
    return np.frombuffer(b"".join(features), "<f4").reshape(len(features), -1)


def bare_features(features: Sequence[bytes], extractor_id: str) -> Sequence[bytes]:
    """The same with nothing behind them."""
    length = feature_length(extractor_id, 0)
    return [feature[:length] for feature in features] if length else features


def cannot_be(features: Sequence[bytes], extractor_id: str) -> list[bool]:
    """Of each, whether it is none: of no length that there is, with numbers that are not finite, or longer than 1."""
    if (length := feature_length(extractor_id, 0)) and any(len(feature) > length for feature in features):
        said = [may_be_said(feature[length:]) for feature in features]
        bare = cannot_be(bare_features(features, extractor_id), extractor_id)
        return [bad or not may_be for bad, may_be in zip(bare, said, strict=True)]
    sizes = {len(feature) for feature in features}
    if len(sizes) > 1:
        return [cannot_be([feature], extractor_id)[0] for feature in features]
    if not sizes:
        return []
    blocks, size = _blocks(extractor_id), sizes.pop()
    if size != coded_length(blocks) if blocks else size % 4:
        return [True] * len(features)
    rows = feature_rows(features, extractor_id)
    with np.errstate(all="ignore"):
        good = np.einsum("ij,ij->i", rows, rows) <= _LONGEST**2  # false for what is not finite
    bad: list[bool] = (~good).tolist()
    return bad


def _decoded(features: Sequence[bytes], blocks: Sequence[Block]) -> NDArray[np.float32]:
    """Rows of NaN for what `decode_base` refuses."""
    try:
        return decode_base(features, blocks)
    except CorruptError:
        if len(features) > 1:
            return np.concatenate([_decoded([feature], blocks) for feature in features])
        return np.full((1, sum(block.length for block in blocks)), np.nan, np.float32)


_blocks = lru_cache(maxsize=64)(blocks_of)
