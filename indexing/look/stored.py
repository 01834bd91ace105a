"""A tuning as bytes."""

from __future__ import annotations

from hashlib import blake2b

import msgspec
import numpy as np
from numpy.typing import NDArray

from indexing.category.head import decode_head, encode_head
from indexing.look.tuning import TunedBlock, Tuning
from schemas.errors import CorruptError
from schemas.features.blocks import Block

_MAGIC = b"vitrine look 1\n"
_DIGEST = 16


class _Block(msgspec.Struct, frozen=True, array_like=True):
    """`directions` (length, numbers), `items`, `queries` (length,): float16, little endian, row by row."""

    name: str
    length: int
    numbers: int
    weight: float
    directions: bytes
    items: bytes
    queries: bytes


class _Stored(msgspec.Struct, frozen=True, array_like=True):
    """`head`: of categories, see `indexing.category.head`; empty where there is none."""

    extractor_id: str
    blocks: list[_Block]
    head: bytes = b""


_decoder = msgspec.msgpack.Decoder(_Stored)


def encode_tuning(tuning: Tuning) -> bytes:
    """The same tuning gives the same bytes; they end with their BLAKE2b-128."""
    blocks = [
        _Block(
            part.block.name,
            part.block.length,
            part.directions.shape[1],
            part.weight,
            part.directions.astype("<f2").tobytes(),
            part.items.astype("<f2").tobytes(),
            part.queries.astype("<f2").tobytes(),
        )
        for part in tuning.parts
    ]
    head = b"" if tuning.head is None else encode_head(tuning.head)
    body = _MAGIC + msgspec.msgpack.encode(_Stored(tuning.extractor_id, blocks, head))
    return body + blake2b(body, digest_size=_DIGEST).digest()


def decode_tuning(data: bytes) -> Tuning:
    """Raises `CorruptError` for bytes that `encode_tuning` did not write."""
    body, digest = data[:-_DIGEST], data[-_DIGEST:]
    if not body.startswith(_MAGIC) or blake2b(body, digest_size=_DIGEST).digest() != digest:
        raise CorruptError("the tuning of looks is not what was written: build the full index anew (vitrine build)")
    try:
        stored = _decoder.decode(body[len(_MAGIC) :])
        parts = tuple(_part(each) for each in stored.blocks)
    except (msgspec.MsgspecError, ValueError) as error:
        raise CorruptError(f"the tuning of looks does not decode ({error}): build the full index anew") from error
    return Tuning(stored.extractor_id, parts, decode_head(stored.head) if stored.head else None)


def _part(stored: _Block) -> TunedBlock:
    return TunedBlock(
        Block(stored.name, stored.length),
        stored.weight,
        _numbers(stored.directions).reshape(stored.length, stored.numbers),
        _numbers(stored.items).reshape(stored.length),
        _numbers(stored.queries).reshape(stored.length),
    )


def _numbers(data: bytes) -> NDArray[np.float32]:
    return np.frombuffer(data, "<f2").astype(np.float32)
