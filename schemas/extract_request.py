"""A unit of extraction: fetch this image, for this image of that product (JSON, topic `extract-requests`).

The Kafka key is `routing_key(feature_partition(image_key))`: the request
reaches the one subtask that owns the feature's store partition.
"""

from __future__ import annotations

from typing import Annotated

import msgspec
from msgspec import Meta

from schemas.errors import RejectedError
from schemas.ids import product_hash
from schemas.product_event import MAX_PRODUCT_ID_BYTES, MAX_URL_BYTES

Sequence = Annotated[int, Meta(ge=1, le=2**63 - 1)]
Count = Annotated[int, Meta(ge=0, le=2**31 - 1)]
UnixMs = Annotated[int, Meta(ge=0, le=2**53)]


class ExtractRequest(msgspec.Struct, frozen=True, kw_only=True):
    """`vector_seq` is the image's `image_seq`; `image_id`, `image_key`: lower-case hex.

    `attempt` counts from 0; `not_before_ms` (Unix time) is when to try next.
    `erase`: delete what is known of the image under this extractor instead; its URL is not said.
    """

    product_id: str
    image_id: str
    image_key: str
    url: str
    vector_seq: Sequence
    extractor_id: str
    attempt: Count = 0
    not_before_ms: UnixMs = 0
    erase: bool = False


_encoder = msgspec.json.Encoder()
_decoder = msgspec.json.Decoder(ExtractRequest)


def encode_request(request: ExtractRequest) -> bytes:
    return _encoder.encode(request)


def decode_request(value: bytes | None) -> ExtractRequest:
    """A request that can have been asked; whatever the bytes, else `RejectedError('invalid_request', ...)`."""
    try:
        request = _decoder.decode(value or b"")
        if len(bytes.fromhex(request.image_id)) != 16 or len(bytes.fromhex(request.image_key)) != 16:
            raise ValueError("image_id and image_key must be 16 bytes in hex")
        if not 1 <= len(request.product_id.encode()) <= MAX_PRODUCT_ID_BYTES:
            raise ValueError(f"product_id must have 1 to {MAX_PRODUCT_ID_BYTES} bytes")
        if not 1 <= len(request.url.encode()) <= MAX_URL_BYTES:
            raise ValueError(f"the URL must have 1 to {MAX_URL_BYTES} bytes")
    except (msgspec.MsgspecError, ValueError, RecursionError) as error:
        raise RejectedError("invalid_request", str(error)) from error
    return request


def check_request(request: ExtractRequest) -> None:
    """That the image is one of the product: else no shard would take its vector. Raises as `decode_request`."""
    if bytes.fromhex(request.image_id)[:8] != product_hash(request.product_id):
        detail = f"image {request.image_id} is not one of product {request.product_id!r}"
        raise RejectedError("invalid_request", detail)
