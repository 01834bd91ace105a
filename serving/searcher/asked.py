"""What a searcher is asked, read from the message: this index's vectors and questions, or why they are none."""

from __future__ import annotations

from typing import TypeAlias

import numpy as np

from indexing.shard.questions.question import ShardQuestion
from schemas.errors import RejectedError
from schemas.query.facets import decode_wanted
from schemas.query.fields import Fields
from schemas.query.filters import decode_filter
from schemas.search_pb2 import SearchRequest
from serving.backend import EXTRACTOR_MISMATCH, INVALID_QUERY, MAX_IMAGES_PER_QUERY

Vectors: TypeAlias = np.ndarray[tuple[int, int], np.dtype[np.float32]]


def vectors_of(request: SearchRequest, extractor_id: str, dimension: int) -> Vectors:
    """The query's vectors, (count, dimension), views of the message.

    Raises `RejectedError` where they are of another extractor than the index's
    or not whole, and where more images are asked for than an answer may hold.
    """
    if request.extractor_id and request.extractor_id != extractor_id:
        raise RejectedError(
            EXTRACTOR_MISMATCH,
            f"the query's vector is of {request.extractor_id}, this index is of {extractor_id}; "
            "embed with the index's extractor, or run blender and searchers with the same settings",
        )
    if not 1 <= request.limit <= MAX_IMAGES_PER_QUERY:
        raise RejectedError(INVALID_QUERY, f"limit {request.limit}; ask for 1 to {MAX_IMAGES_PER_QUERY} images")
    expected = request.count * dimension * 4
    if request.count < 1 or len(request.vectors) != expected:
        raise RejectedError(
            INVALID_QUERY,
            f"{len(request.vectors)} bytes for {request.count} vectors of {dimension} float32 "
            f"({expected} bytes); send whole vectors of the index's dimension",
        )
    return np.frombuffer(request.vectors, dtype="<f4").reshape(request.count, dimension)


def question_of(request: SearchRequest, extractor_id: str, dimension: int, fields: Fields) -> ShardQuestion:
    """A question with a filter, words, counts or a list, with or without vectors. Raises `RejectedError`."""
    return ShardQuestion(
        vectors=vectors_of(request, extractor_id, dimension) if request.count else np.empty((0, dimension), np.float32),
        limit=request.limit,
        nprobe=request.nprobe,
        tree=decode_filter(request.filter, fields),
        words=request.words,
        any_word=request.any_word,
        listing=request.listing,
        order_by=_order_by(request.order_by, fields),
        list_limit=min(request.list_limit, MAX_IMAGES_PER_QUERY),
        facets=decode_wanted(request.facets, fields),
        with_vectors=request.with_vectors,
    )


def _order_by(name: str, fields: Fields) -> str:
    field = fields.get(name.removeprefix("-")) if name else None
    if name and (field is None or not field.kind.numeric):
        raise RejectedError(INVALID_QUERY, f"order_by {name!r}: no number of this index to order by")
    return name
