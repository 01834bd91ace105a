"""A tuning as bytes."""

from __future__ import annotations

import msgspec

from indexing.category.head import decode_head, encode_head
from indexing.learned.half import from_half_bytes, half_bytes
from indexing.learned.sealed import BUILD_ANEW, Sealed
from indexing.look.tuning import TunedBlock, Tuning
from schemas.features.blocks import Block


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


_sealed = Sealed(b"vitrine look 1\n", _Stored, "the tuning of looks", BUILD_ANEW)


def encode_tuning(tuning: Tuning) -> bytes:
    """The same tuning gives the same bytes."""
    blocks = [
        _Block(
            part.block.name,
            part.block.length,
            part.directions.shape[1],
            part.weight,
            half_bytes(part.directions),
            half_bytes(part.items),
            half_bytes(part.queries),
        )
        for part in tuning.parts
    ]
    head = b"" if tuning.head is None else encode_head(tuning.head)
    return _sealed.write(_Stored(tuning.extractor_id, blocks, head))


def decode_tuning(data: bytes) -> Tuning:
    """Raises `CorruptError` for bytes that `encode_tuning` did not write."""
    return _sealed.read(data, _tuning)


def _tuning(stored: _Stored) -> Tuning:
    parts = tuple(_part(each) for each in stored.blocks)
    return Tuning(stored.extractor_id, parts, decode_head(stored.head) if stored.head else None)


def _part(stored: _Block) -> TunedBlock:
    return TunedBlock(
        Block(stored.name, stored.length),
        stored.weight,
        from_half_bytes(stored.directions).reshape(stored.length, stored.numbers),
        from_half_bytes(stored.items).reshape(stored.length),
        from_half_bytes(stored.queries).reshape(stored.length),
    )
