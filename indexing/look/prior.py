"""What is known beforehand of how pictures differ: of other shops' things, in few bytes.

A covariance is kept by its leading directions, 8 bits a number, and the
variances that they leave of each coordinate.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from hashlib import blake2b

import msgspec
import numpy as np
from numpy.typing import NDArray

from indexing.look.scatter import Matrix, Scatter
from schemas.errors import CorruptError
from schemas.features.blocks import Block

_MAGIC = b"vitrine prior 1\n"
_DIGEST = 16


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


_decoder = msgspec.msgpack.Decoder(_Stored)


def encode_prior(extractor_id: str, blocks: Sequence[Block], found: Sequence[Scatter], rank: int) -> bytes:
    """`rank`: leading directions that are kept of each covariance. The bytes end with their BLAKE2b-128."""
    stored = _Stored(
        extractor_id,
        [
            _Block(
                block.name,
                scatter.pictures,
                scatter.mean.astype("<f2").tobytes(),
                _packed(scatter.within, rank),
                _packed(scatter.between, rank),
            )
            for block, scatter in zip(blocks, found, strict=True)
        ],
    )
    body = _MAGIC + msgspec.msgpack.encode(stored)
    return body + blake2b(body, digest_size=_DIGEST).digest()


def decode_prior(data: bytes) -> Prior:
    """Raises `CorruptError` for bytes that `encode_prior` did not write."""
    body, digest = data[:-_DIGEST], data[-_DIGEST:]
    if not body.startswith(_MAGIC) or blake2b(body, digest_size=_DIGEST).digest() != digest:
        raise CorruptError("the prior of looks is not what was written: install Vitrine anew")
    try:
        stored = _decoder.decode(body[len(_MAGIC) :])
        found = [_scatter(each) for each in stored.blocks]
    except (msgspec.MsgspecError, ValueError) as error:
        raise CorruptError(f"the prior of looks does not decode ({error}): install Vitrine anew") from error
    blocks = tuple(Block(each.name, len(one.mean)) for each, one in zip(stored.blocks, found, strict=True))
    return Prior(stored.extractor_id, blocks, tuple(found), digest.hex())


def _packed(covariance: Matrix, rank: int) -> _Covariance:
    values, vectors = np.linalg.eigh(covariance)
    leading = vectors[:, ::-1][:, :rank] * np.sqrt(np.maximum(values[::-1][:rank], 0.0))
    scales = np.maximum(np.abs(leading).max(axis=0), 1e-12).astype("<f4") / np.float32(127)
    coded = np.round(leading / scales).astype(np.int8)
    held = coded * scales.astype(np.float64)
    rest = np.sqrt(np.maximum(np.diag(covariance) - (held**2).sum(axis=1), 0.0))
    return _Covariance(coded.tobytes(), scales.tobytes(), rest.astype("<f2").tobytes())


def _scatter(stored: _Block) -> Scatter:
    mean = _numbers(stored.mean, "<f2")
    return Scatter(stored.pictures, mean, _unpacked(stored.within, len(mean)), _unpacked(stored.between, len(mean)))


def _unpacked(stored: _Covariance, size: int) -> Matrix:
    """Raises `ValueError` for lengths that do not fit."""
    scales, rest = _numbers(stored.scales, "<f4"), _numbers(stored.rest, "<f2")
    leading = _numbers(stored.leading, "i1").reshape(size, len(scales)) * scales
    whole: Matrix = leading @ leading.T
    whole[np.diag_indices(size)] += rest.reshape(size) ** 2
    return whole


def _numbers(data: bytes, kind: str) -> NDArray[np.float64]:
    return np.frombuffer(data, kind).astype(np.float64)
