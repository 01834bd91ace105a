"""A learned order as a part of a generation: its file, and what the generation says of it."""

from __future__ import annotations

from hashlib import blake2b

from indexing.ranking.model import RankModel, decode_model, encode_model
from indexing.ranking.training import Learned
from schemas.errors import CorruptError
from schemas.full_index.learned import LearnedPart

KIND = "ranking"


def written(learned: Learned, extractor_id: str) -> tuple[bytes, LearnedPart]:
    """(the file's contents, its entry in the generation). `extractor_id`: whose likeness it was learned from."""
    data = encode_model(learned.model)
    part = LearnedPart(
        kind=KIND,
        inputs={"features_id": learned.model.features_id, "extractor_id": extractor_id},
        size=len(data),
        checksum=blake2b(data, digest_size=16).hexdigest(),
        used=learned.used,
        why=learned.why,
        held=learned.held,
        by_chance=learned.by_chance,
        settings=dict(learned.settings),
    )
    return data, part


def read(data: bytes, part: LearnedPart) -> RankModel:
    """Raises `CorruptError` for bytes that are not those of the entry."""
    found = decode_model(data)
    if part.inputs.get("features_id") != found.features_id:
        raise CorruptError(
            "the learned order is of other features than its generation says: build anew (vitrine build)"
        )
    return found
