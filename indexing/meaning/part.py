"""A map as a part of a generation: its file, and what the generation says of it."""

from __future__ import annotations

from indexing.meaning.map import MeaningMap, decode_map, encode_map
from indexing.meaning.training import Learned
from schemas.errors import CorruptError
from schemas.full_index.learned import LearnedPart, checksum_of, entry_of

KIND = "meaning"


def written(learned: Learned) -> tuple[bytes, LearnedPart]:
    """(the file's contents, its entry in the generation)."""
    data = encode_map(learned.map)
    inputs = {"text_encoder_id": learned.map.text_encoder_id, "extractor_id": learned.map.extractor_id}
    return data, entry_of(KIND, data, inputs, learned, learned.held.figures(), learned.by_chance.figures())


def read(data: bytes, part: LearnedPart) -> MeaningMap:
    """Raises `CorruptError` for bytes that are not those of the entry."""
    if len(data) != part.size or checksum_of(data) != part.checksum:
        raise CorruptError("the map of meaning is not the one that its generation names: build anew (vitrine build)")
    found = decode_map(data)
    if part.inputs != {"text_encoder_id": found.text_encoder_id, "extractor_id": found.extractor_id}:
        raise CorruptError("the map of meaning is of other encoders than its generation says: build anew")
    return found
