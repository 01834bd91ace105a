"""A map as a part of a generation: its file, and what the generation says of it."""

from __future__ import annotations

from hashlib import blake2b

from indexing.meaning.map import MeaningMap, decode_map, encode_map
from indexing.meaning.training import Learned
from schemas.errors import CorruptError
from schemas.full_index.learned import LearnedPart

KIND = "meaning"


def written(learned: Learned) -> tuple[bytes, LearnedPart]:
    """(the file's contents, its entry in the generation)."""
    data = encode_map(learned.map)
    part = LearnedPart(
        kind=KIND,
        inputs={"text_encoder_id": learned.map.text_encoder_id, "extractor_id": learned.map.extractor_id},
        size=len(data),
        checksum=_checksum(data),
        used=learned.used,
        why=learned.why,
        held=learned.held.figures(),
        by_chance=learned.by_chance.figures(),
        settings=dict(learned.settings),
    )
    return data, part


def read(data: bytes, part: LearnedPart) -> MeaningMap:
    """Raises `CorruptError` for bytes that are not those of the entry."""
    if len(data) != part.size or _checksum(data) != part.checksum:
        raise CorruptError("the map of meaning is not the one that its generation names: build anew (vitrine build)")
    found = decode_map(data)
    if part.inputs != {"text_encoder_id": found.text_encoder_id, "extractor_id": found.extractor_id}:
        raise CorruptError("the map of meaning is of other encoders than its generation says: build anew")
    return found


def _checksum(data: bytes) -> str:
    return blake2b(data, digest_size=16).hexdigest()
