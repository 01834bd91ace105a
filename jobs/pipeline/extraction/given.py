"""Requests of an external extractor: they bring the vector along, and nothing is fetched for them."""

from __future__ import annotations

import numpy as np

from jobs.pipeline.extraction.protocol import Failed
from jobs.pipeline.given_vectors import MISSING
from schemas.errors import RejectedError
from schemas.events.extract_request import ExtractRequest
from schemas.features.ids import dimension_of, is_external
from schemas.features.record import FeatureRecord
from schemas.ids import ImageKey, content_hash


def check_brought(request: ExtractRequest) -> None:
    """That the vector, if there is one, is of the request's extractor. Raises `RejectedError('invalid_request')`."""
    if not request.vector or request.erase:
        return
    if not is_external(request.extractor_id):
        raise RejectedError("invalid_request", f"a vector for {request.extractor_id}, which makes its own")
    numbers = dimension_of(request.extractor_id)
    if len(request.vector) != 4 * numbers:
        raise RejectedError(
            "invalid_request",
            f"a vector of {len(request.vector)} bytes for {request.extractor_id}; it has {4 * numbers}",
        )
    length = float(np.linalg.norm(np.frombuffer(request.vector, "<f4").astype(np.float64)))
    if not 0.99 <= length <= 1.01:  # nor NaN
        raise RejectedError("invalid_request", f"a vector of length {length:g}; it must be 1")


def brought_feature(request: ExtractRequest, key: ImageKey, now_ms: int) -> FeatureRecord:
    """What the store keeps: as of an extracted picture, the vector's bytes being the content."""
    return FeatureRecord(
        key, request.extractor_id, request.vector, content_hash(request.vector), now_ms, 0.0, request.url
    )


def not_brought(request: ExtractRequest, key: ImageKey) -> Failed:
    """A request (of a replay or a build) for an image whose vector never came, or is lost: it cannot be made here."""
    return Failed(
        key,
        MISSING,
        f"no vector of {request.url[:200]!r} under {request.extractor_id} is known, and none can be extracted; "
        "send the product's event again, with its vectors",
        False,
    )
