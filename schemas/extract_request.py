"""A unit of extraction: fetch this image, for this image of that product (JSON, topic `extract-requests`).

The Kafka key is `routing_key(feature_partition(image_key))`: the request
reaches the one subtask that owns the feature's store partition.
"""

from __future__ import annotations

import msgspec

from schemas.errors import RejectedError


class ExtractRequest(msgspec.Struct, frozen=True, kw_only=True):
    """`vector_seq` is the image's `image_seq`; `image_id`, `image_key`: lower-case hex.

    `attempt` counts from 0; `not_before_ms` (Unix time) is when to try next.
    """

    product_id: str
    image_id: str
    image_key: str
    url: str
    vector_seq: int
    extractor_id: str
    attempt: int = 0
    not_before_ms: int = 0


_encoder = msgspec.json.Encoder()
_decoder = msgspec.json.Decoder(ExtractRequest)


def encode_request(request: ExtractRequest) -> bytes:
    return _encoder.encode(request)


def decode_request(value: bytes | None) -> ExtractRequest:
    """Raises `RejectedError('invalid_request', ...)`."""
    try:
        request = _decoder.decode(value or b"")
        if len(bytes.fromhex(request.image_id)) != 16 or len(bytes.fromhex(request.image_key)) != 16:
            raise ValueError("image_id and image_key must be 16 bytes in hex")
    except (msgspec.MsgspecError, ValueError, RecursionError) as error:
        raise RejectedError("invalid_request", str(error)) from error
    return request
