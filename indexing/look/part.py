"""A tuning as a part of a generation: its file, and what the generation says of it."""

from __future__ import annotations

from collections.abc import Callable

from indexing.look.looks import Look, Tuned, untuned
from indexing.look.stored import decode_tuning, encode_tuning
from indexing.look.tuning import Tuning
from indexing.look.worth import Learned
from schemas.errors import CorruptError
from schemas.full_index.generation import Generation
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


def entry_in(generation: Generation) -> LearnedPart | None:
    """Of the tuning that its vectors were made by; None where they are features as they are stored."""
    return next((part for part in generation.learned if part.kind == KIND and part.used), None)


def look_of(generation: Generation, read_part: Callable[[LearnedPart], bytes]) -> Look:
    """What the vectors of a full index are made by; `read_part` gives a part's file.

    Raises `CorruptError` for a tuning that is not the one it was built with.
    """
    entry = entry_in(generation)
    if entry is None:
        try:
            return untuned(generation.extractor_id)
        except ValueError as error:
            raise CorruptError(f"{generation.name}: {error}, and it has none: build anew (vitrine build)") from error
    try:
        return Tuned(read(read_part(entry), entry), generation.extractor_id)
    except ValueError as error:
        raise CorruptError(f"{generation.name}: {error}: build anew (vitrine build)") from error
