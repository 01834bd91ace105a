"""Product events: what a shop's back end writes to `product-events`.

JSON, by any Kafka client; the published JSON Schema is
`schemas/json/product_event.schema.json` and a test holds both together.
`decode_event` is the only way in: it accepts the bare event or a CloudEvents
1.0 envelope around it, and raises `RejectedError` for everything else.

Evolution: new optional fields may be added; a field is never renamed and
never changes its type. Unknown fields beside the known ones are ignored;
unknown *product attributes* are kept and returned.
"""

from __future__ import annotations

import base64
from typing import Annotated, Any

import msgspec
from msgspec import Meta

from schemas.errors import RejectedError
from schemas.events.attributes import check_attributes
from schemas.events.given_vector import check_given, version_of

MAX_EVENT_BYTES = 1_000_000
MAX_ENVELOPE_BYTES = 128
"""What `forward` puts around an event at most: an event of the full length can be sent on as well."""
MAX_PRODUCT_ID_BYTES = 512
MAX_URL_BYTES = 4096
MAX_IMAGES = 500

Int64 = Annotated[int, Meta(ge=-(2**63), le=2**63 - 1)]
"""What the stores' MessagePack and the index's columns can hold."""


class ImageRef(msgspec.Struct, frozen=True, kw_only=True, gc=False, omit_defaults=True):
    """A picture of the product. `version` (optional) changes when the bytes behind the same URL change.

    `vector`: what the shop's own extractor made of it, of any length but zero.
    The URL then names the image, may be shown, and is not fetched.
    """

    url: str
    version: str | Int64 | None = None
    vector: list[float] | None = None

    @property
    def version_text(self) -> str | None:
        """With a vector, a version of its own for every other vector."""
        version = None if self.version is None else str(self.version)
        return version if self.vector is None else version_of(self.vector, version)


class ProductAdded(msgspec.Struct, frozen=True, tag_field="type", tag="product_added", kw_only=True, gc=False):
    """Lists a product, or lists a known one again. What is given replaces; what is left out stays as it was."""

    product_id: str
    version: Int64 | None = None
    product: dict[str, Any] | None = None
    images: list[ImageRef] | None = None


class ProductUpdated(msgspec.Struct, frozen=True, tag_field="type", tag="product_updated", kw_only=True, gc=False):
    """Changes attributes (JSON merge patch, RFC 7386: null deletes) and images of a known product."""

    product_id: str
    version: Int64 | None = None
    product: dict[str, Any] | None = None
    images_added: list[ImageRef] = []
    images_removed: list[str] = []


class ProductRemoved(msgspec.Struct, frozen=True, tag_field="type", tag="product_removed", kw_only=True, gc=False):
    """Takes a product down; everything about it is kept for a later `product_added`."""

    product_id: str
    version: Int64 | None = None


class ProductErased(msgspec.Struct, frozen=True, tag_field="type", tag="product_erased", kw_only=True, gc=False):
    """Removes a product for good: nothing of it is kept. A later `product_added` begins anew."""

    product_id: str
    version: Int64 | None = None


class Heartbeat(msgspec.Struct, frozen=True, tag_field="type", tag="heartbeat", kw_only=True):
    """Written by Vitrine itself to every partition, so that the watermark moves when no event arrives."""

    partition: Annotated[int, Meta(ge=0, le=2**31 - 1)]


class Forwarded(msgspec.Struct, frozen=True, tag_field="type", tag="forwarded", kw_only=True):
    """An event that lay in another partition than its product's, sent on by the catalogue stage.

    Its origin makes it recognisable when a replay of the origin sends it again.
    """

    origin_partition: Annotated[int, Meta(ge=0, le=2**31 - 1)]
    origin_sequence: Annotated[int, Meta(ge=1, le=2**63 - 1)]
    event: msgspec.Raw


ProductEvent = ProductAdded | ProductUpdated | ProductRemoved | ProductErased
AnyEvent = ProductAdded | ProductUpdated | ProductRemoved | ProductErased | Heartbeat | Forwarded

_decoder: msgspec.json.Decoder[AnyEvent] = msgspec.json.Decoder(AnyEvent)
_product_decoder: msgspec.json.Decoder[ProductEvent] = msgspec.json.Decoder(ProductEvent)


class _Envelope(msgspec.Struct, kw_only=True):
    """CloudEvents 1.0, structured mode (https://github.com/cloudevents/spec)."""

    specversion: str
    data: msgspec.Raw = msgspec.Raw()
    data_base64: str | None = None


_UNREADABLE = (msgspec.MsgspecError, RecursionError, ValueError)
"""What decoding raises: ValueError stands for text that is not UTF-8 and for data_base64 that is not base64."""

_envelope_decoder = msgspec.json.Decoder(_Envelope)
_JSON_SPACE = b" \t\n\r"


def decode_event(value: bytes | None) -> AnyEvent:
    """Bytes of one record of `product-events` to a checked event.

    Raises `RejectedError` with reason `empty`, `too_large`, `not_json`,
    `invalid_event` or `cloudevent`; never anything else, whatever the bytes.
    """
    if not value:
        raise RejectedError("empty", "the record has no value; to take a product down send a product_removed event")
    _check_length(value, MAX_EVENT_BYTES + MAX_ENVELOPE_BYTES)
    try:
        event = _decoder.decode(value)
    except _UNREADABLE as error:
        _check_length(value)
        event = _open_envelope(value, error)[0]
    if isinstance(event, Forwarded):
        return event
    _check_length(value)
    if isinstance(event, ProductEvent):
        check_event(event)
    return event


def forward(value: bytes, origin_partition: int, origin_sequence: int) -> bytes:
    """The record that sends an accepted event on: its own bytes, so that it grows by `MAX_ENVELOPE_BYTES` at most.

    Written anew it could grow many times over (`1e15` becomes
    `1000000000000000.0`). `value` is a record of `product-events` that
    `decode_event` took; one that was forwarded before is not wrapped again.
    """
    return msgspec.json.encode(
        Forwarded(origin_partition=origin_partition, origin_sequence=origin_sequence, event=_bare(value))
    )


def _bare(value: bytes) -> msgspec.Raw:
    """The product event's own bytes in a record that holds it bare, forwarded or in a CloudEvents envelope."""
    try:
        event = _decoder.decode(value)
    except _UNREADABLE as error:
        return msgspec.Raw(_open_envelope(value, error)[1])
    return event.event if isinstance(event, Forwarded) else msgspec.Raw(value.strip(_JSON_SPACE))


def _check_length(value: bytes | msgspec.Raw, limit: int = MAX_EVENT_BYTES) -> None:
    size = len(memoryview(value))
    if size > limit:
        raise RejectedError("too_large", f"{size} bytes; an event may have {MAX_EVENT_BYTES}")


def decode_forwarded(event: Forwarded) -> ProductEvent:
    """The product event inside a `Forwarded`; raises as `decode_event` does."""
    _check_length(event.event)
    try:
        inner = _product_decoder.decode(event.event)
    except _UNREADABLE as error:
        raise RejectedError("invalid_event", f"forwarded event: {error}") from error
    check_event(inner)
    return inner


def _open_envelope(value: bytes, error: Exception) -> tuple[ProductEvent, bytes]:
    """The event inside a CloudEvents envelope and its bytes, or the rejection that `error` stands for."""
    if isinstance(error, RecursionError):
        raise RejectedError("not_json", "nested too deeply to be read") from error
    if not isinstance(error, msgspec.ValidationError):
        raise RejectedError("not_json", str(error)) from error
    if b'"specversion"' not in value:
        raise RejectedError("invalid_event", str(error)) from error
    try:
        envelope = _envelope_decoder.decode(value)
        if not envelope.specversion.startswith("1."):
            raise RejectedError("cloudevent", f"specversion {envelope.specversion!r}; only 1.0 is read")
        data = bytes(envelope.data)
        if envelope.data_base64 is not None:
            data = base64.b64decode(envelope.data_base64, validate=True)
        return _product_decoder.decode(data), data
    except _UNREADABLE as inner:
        raise RejectedError("cloudevent", f"the envelope's data is not a product event: {inner}") from inner


def check_event(event: ProductEvent) -> None:
    """The rules that types cannot say. Raises `RejectedError('invalid_event', ...)`."""
    product_id = event.product_id
    if not product_id or len(product_id.encode()) > MAX_PRODUCT_ID_BYTES:
        raise RejectedError("invalid_event", f"product_id must have 1 to {MAX_PRODUCT_ID_BYTES} bytes")
    if isinstance(event, ProductRemoved | ProductErased):
        return
    if event.product:
        check_attributes(event.product)
    images = images_of(event)
    if len(images) > MAX_IMAGES:
        raise RejectedError("invalid_event", f"{len(images)} images; a product may have {MAX_IMAGES}")
    for image in images:
        if not image.url or len(image.url.encode()) > MAX_URL_BYTES:
            raise RejectedError("invalid_event", f"image url must have 1 to {MAX_URL_BYTES} bytes")
        if image.vector is not None:
            check_given(image.vector)


def images_of(event: ProductEvent) -> list[ImageRef]:
    """The images that the event attaches."""
    match event:
        case ProductAdded():
            return event.images or []
        case ProductUpdated():
            return event.images_added
        case ProductRemoved() | ProductErased():
            return []
