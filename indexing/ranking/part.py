"""A learned order as a part of a generation: its file, and what the generation says of it."""

from __future__ import annotations

from indexing.ranking.model import RankModel, decode_model, encode_model
from indexing.ranking.training import Learned
from schemas.errors import CorruptError
from schemas.full_index.learned import LearnedPart, entry_of

KIND = "ranking"


def written(learned: Learned, extractor_id: str) -> tuple[bytes, LearnedPart]:
    """(the file's contents, its entry in the generation). `extractor_id`: whose likeness it was learned from."""
    data = encode_model(learned.model)
    inputs = {"features_id": learned.model.features_id, "extractor_id": extractor_id}
    return data, entry_of(KIND, data, inputs, learned, learned.held, learned.by_chance)


def read(data: bytes, part: LearnedPart) -> RankModel:
    """Raises `CorruptError` for bytes that are not those of the entry."""
    found = decode_model(data)
    if part.inputs.get("features_id") != found.features_id:
        raise CorruptError(
            "the learned order is of other features than its generation says: build anew (vitrine build)"
        )
    return found
