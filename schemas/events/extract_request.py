"""A unit of extraction: fetch this image, for this image of that product (JSON, topic `extract-requests`).

The Kafka key is `routing_key(feature_partition(image_key))`: the request
reaches the one subtask that owns the feature's store partition.

A record holds one request, or a *bundle* of those that the stage sent round
together, to be opened when the first of them is due. Thousands of images of
hosts that hang are then a few records in the way of a new one.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Annotated

import msgspec
from msgspec import Meta

from schemas.errors import RejectedError
from schemas.events.event import MAX_PRODUCT_ID_BYTES, MAX_URL_BYTES
from schemas.ids import product_hash

LogSequence = Annotated[int, Meta(ge=1, le=2**63 - 1)]
Count = Annotated[int, Meta(ge=0, le=2**31 - 1)]
UnixMs = Annotated[int, Meta(ge=0, le=2**53)]


class ExtractRequest(msgspec.Struct, frozen=True, kw_only=True):
    """`vector_seq` is the image's `image_seq`; `image_id`, `image_key`: lower-case hex.

    `attempt` counts from 0; `not_before_ms` (Unix time) is when to try next.
    `erase`: delete what is known of the image under this extractor instead; its URL is not said.
    `vector` (base64): what the shop gave for the image, as a feature holds it: it is stored, and nothing is fetched.
    """

    product_id: str
    image_id: str
    image_key: str
    url: str
    vector_seq: LogSequence
    extractor_id: str
    attempt: Count = 0
    not_before_ms: UnixMs = 0
    erase: bool = False
    vector: bytes = b""


class RequestBundle(msgspec.Struct, frozen=True, kw_only=True, tag_field="type", tag="bundle"):
    """`requests`: each encoded as it would be alone; `not_before_ms`: of the first that is due."""

    not_before_ms: UnixMs
    requests: list[msgspec.Raw]


MAX_BUNDLE = 256
"""Requests of a bundle."""
MAX_BUNDLE_BYTES = 256 * 1024
_BUNDLE = b'{"type":"bundle",'

_encoder = msgspec.json.Encoder()
_decoder = msgspec.json.Decoder(ExtractRequest)
_bundle_decoder = msgspec.json.Decoder(RequestBundle)


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


def encode_bundles(requests: Sequence[ExtractRequest]) -> Iterator[bytes]:
    """Records for these requests: bundles of those that are due at about the same time, one alone as it is."""
    together: list[bytes] = []
    due_ms = size = 0
    for request in sorted(requests, key=lambda each: each.not_before_ms):
        encoded = _encoder.encode(request)
        if together and (len(together) == MAX_BUNDLE or size + len(encoded) > MAX_BUNDLE_BYTES):
            yield _record(together, due_ms)
            together, size = [], 0
        if not together:
            due_ms = request.not_before_ms
        together.append(encoded)
        size += len(encoded)
    if together:
        yield _record(together, due_ms)


def _record(encoded: list[bytes], due_ms: int) -> bytes:
    if len(encoded) == 1:
        return encoded[0]
    requests = [msgspec.Raw(each) for each in encoded]
    return _encoder.encode(RequestBundle(not_before_ms=due_ms, requests=requests))


def decode_bundle(value: bytes | None) -> RequestBundle | None:
    """The bundle that a record holds, its requests not looked at; None when it holds one request, or none.

    Raises `RejectedError('invalid_request', ...)` for what begins as a bundle and is none.
    """
    if not value or not value.startswith(_BUNDLE):
        return None
    try:
        bundle = _bundle_decoder.decode(value)
    except (msgspec.MsgspecError, ValueError, RecursionError) as error:
        raise RejectedError("invalid_request", str(error)) from error
    if not 1 <= len(bundle.requests) <= MAX_BUNDLE:
        raise RejectedError("invalid_request", f"a bundle of {len(bundle.requests)}; it holds 1 to {MAX_BUNDLE}")
    return bundle


def decode_requests(value: bytes | None) -> list[ExtractRequest]:
    """All requests of a record, bundled or not. Raises as `decode_request`."""
    bundle = decode_bundle(value)
    return [decode_request(value)] if bundle is None else [decode_request(bytes(each)) for each in bundle.requests]
