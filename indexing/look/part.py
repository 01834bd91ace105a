"""A tuning as a part of a generation: its file, and what the generation says of it."""

from __future__ import annotations

from indexing.look.stored import decode_tuning, encode_tuning
from indexing.look.tuning import Tuning
from indexing.look.worth import Learned
from schemas.errors import CorruptError
from schemas.full_index.learned import LearnedPart, entry_of

KIND = "look"


def written(learned: Learned) -> tuple[bytes, LearnedPart]:
    """(the file's contents, its entry in the generation)."""
    data = encode_tuning(learned.tuning)
    inputs = {"extractor_id": learned.tuning.extractor_id}
    return data, entry_of(KIND, data, inputs, learned, learned.held, learned.by_chance)


def read(data: bytes, part: LearnedPart) -> Tuning:
    """Raises `CorruptError` for bytes that are not those of the entry."""
    found = decode_tuning(data)
    if part.inputs != {"extractor_id": found.extractor_id}:
        raise CorruptError("the tuning of looks is of another extractor than its generation says: build anew")
    return found
