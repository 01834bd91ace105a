"""What is known beforehand of how pictures differ: of other shops' things, in few bytes.

A covariance is kept by its leading directions, 8 bits a number, and the
variances that they leave of each coordinate.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import msgspec
import numpy as np
from numpy.typing import NDArray

from indexing.learned.half import from_half_bytes, half_bytes
from indexing.learned.sealed import Sealed, digest_of
from indexing.look.scatter import Matrix, Scatter
from schemas.features.blocks import Block


@dataclass(frozen=True, slots=True)
class Prior:
    """Of one extractor: a scatter for each of its blocks. `checksum`: of its file, hex; empty for one that has none."""

    extractor_id: str
    blocks: tuple[Block, ...]
    scatters: tuple[Scatter, ...]
    checksum: str = ""


class _Covariance(msgspec.Struct, frozen=True, array_like=True):
    """`leading` int8 (d, rank) times `scales` float32 (rank,) are the leading directions by the roots of their
    variances; `rest` float16 (d,) the roots of what they leave of each coordinate's variance."""

    leading: bytes
    scales: bytes
    rest: bytes


class _Block(msgspec.Struct, frozen=True, array_like=True):
    """`mean`: float16."""

    name: str
    pictures: int
    mean: bytes
    within: _Covariance
    between: _Covariance


class _Stored(msgspec.Struct, frozen=True, array_like=True):
    extractor_id: str
    blocks: list[_Block]


_sealed = Sealed(b"vitrine prior 1\n", _Stored, "the prior of looks", "install Vitrine anew")


def encode_prior(extractor_id: str, blocks: Sequence[Block], found: Sequence[Scatter], rank: int) -> bytes:
    """`rank`: leading directions that are kept of each covariance."""
    stored = [
        _Block(
            block.name,
            scatter.pictures,
            half_bytes(scatter.mean),
            _packed(scatter.within, rank),
            _packed(scatter.between, rank),
        )
        for block, scatter in zip(blocks, found, strict=True)
    ]
    return _sealed.write(_Stored(extractor_id, stored))


def decode_prior(data: bytes) -> Prior:
    """Raises `CorruptError` for bytes that `encode_prior` did not write."""
    return replace(_sealed.read(data, _prior), checksum=digest_of(data))


def _prior(stored: _Stored) -> Prior:
    found = tuple(_scatter(each) for each in stored.blocks)
    blocks = tuple(Block(each.name, len(one.mean)) for each, one in zip(stored.blocks, found, strict=True))
    return Prior(stored.extractor_id, blocks, found)


def _packed(covariance: Matrix, rank: int) -> _Covariance:
    values, vectors = np.linalg.eigh(covariance)
    leading = vectors[:, ::-1][:, :rank] * np.sqrt(np.maximum(values[::-1][:rank], 0.0))
    scales = np.maximum(np.abs(leading).max(axis=0), 1e-12).astype("<f4") / np.float32(127)
    coded = np.round(leading / scales).astype(np.int8)
    held = coded * scales.astype(np.float64)
    rest = np.sqrt(np.maximum(np.diag(covariance) - (held**2).sum(axis=1), 0.0))
    return _Covariance(coded.tobytes(), scales.tobytes(), half_bytes(rest))


def _scatter(stored: _Block) -> Scatter:
    mean = from_half_bytes(stored.mean).astype(np.float64)
    return Scatter(stored.pictures, mean, _unpacked(stored.within, len(mean)), _unpacked(stored.between, len(mean)))


def _unpacked(stored: _Covariance, size: int) -> Matrix:
    """Raises `ValueError` for lengths that do not fit."""
    scales, rest = _numbers(stored.scales, "<f4"), from_half_bytes(stored.rest).astype(np.float64)
    leading = _numbers(stored.leading, "i1").reshape(size, len(scales)) * scales
    whole: Matrix = leading @ leading.T
    whole[np.diag_indices(size)] += rest.reshape(size) ** 2
    return whole


def _numbers(data: bytes, kind: str) -> NDArray[np.float64]:
    return np.frombuffer(data, kind).astype(np.float64)
