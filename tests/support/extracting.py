"""Pictures through the real extraction stage and its real process."""

from __future__ import annotations

import time
from collections.abc import Mapping

from jobs.pipeline.extraction.stage import ExtractionStage
from jobs.pipeline.stage import Out, Record
from schemas.events.extract_request import ExtractRequest, decode_requests, encode_request
from schemas.ids import image_id, image_key
from schemas.topics import EXTRACT_REQUESTS


def requests_for(urls: Mapping[str, str], extractor_id: str) -> list[ExtractRequest]:
    """One for each product (to its picture's URL), with sequence 5."""
    return [
        ExtractRequest(
            product_id=product,
            image_id=image_id(product, url).hex(),
            image_key=image_key(url).hex(),
            url=url,
            vector_seq=5,
            extractor_id=extractor_id,
        )
        for product, url in urls.items()
    ]


def extracted(stage: ExtractionStage, requests: list[ExtractRequest]) -> list[Out]:
    """What comes of them; what goes round is fed again until nothing does."""
    out: list[Out] = []
    for _ in range(1000):
        now_ms = time.time_ns() // 1_000_000
        records = stage.process([Record(b"0", encode_request(each), 0, n, now_ms) for n, each in enumerate(requests)])
        requests = [each for r in records if r.topic == EXTRACT_REQUESTS for each in decode_requests(r.value)]
        out += [record for record in records if record.topic != EXTRACT_REQUESTS]
        if not requests:
            return out
    raise AssertionError(f"still going round: {requests}")
