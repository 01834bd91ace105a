"""What is shown of the products found: their long attributes are asked for only now, and bounded."""

from __future__ import annotations

import logging
import time

import msgspec

from schemas.errors import TransientError
from schemas.found import Hit
from schemas.search_pb2 import Detail, DetailsRequest
from serving.backend import SearchBackend
from serving.blender.showing.answers import Result
from serving.blender.showing.products import result_of

log = logging.getLogger(__name__)

MAX_ATTRIBUTES_BYTES = 4 << 20
"""Long attributes that an answer shows, all products together; beyond it they are trimmed."""


async def shown(backend: SearchBackend, hits: list[Hit], generation: str, deadline: float) -> list[Result]:
    """What is shown of the hits; long attributes, which do not come with a hit, are asked for now.

    A product that went meanwhile is left out. What is beyond
    `MAX_ATTRIBUTES_BYTES` together, or on a silent shard, is marked as trimmed.
    `deadline`: of `time.monotonic`.
    """
    long = [hit.product_id for hit in hits if hit.attributes_omitted]
    if not long:
        return [result_of(hit) for hit in hits]
    request = DetailsRequest(product_ids=long, generation=generation, max_bytes=MAX_ATTRIBUTES_BYTES)
    details: dict[str, Detail] = {}
    try:
        answer = await backend.details(request, max(0.0, deadline - time.monotonic()))
        details = {detail.product_id: detail for detail in answer.details}
    except TransientError as error:
        log.warning("event=details_missing products=%d problem=%s", len(long), error)
    results = []
    room = MAX_ATTRIBUTES_BYTES
    for hit in hits:
        detail = details.get(hit.product_id)
        if not hit.attributes_omitted:
            results.append(result_of(hit))
        elif detail is None:
            results.append(result_of(hit, trimmed=True))
        elif not detail.gone:
            room -= len(detail.attributes)
            present = msgspec.structs.replace(
                hit,
                attributes=detail.attributes if room >= 0 else b"",
                price=detail.price,
                sales=detail.sales,
                praise=detail.praise,
            )
            results.append(result_of(present, trimmed=detail.trimmed or room < 0))
    return results
