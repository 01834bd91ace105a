"""What the catalogue store keeps per product (MessagePack, array-like).

Evolution: fields are only ever appended, each with a default; the order of
the existing ones never changes. `tests/unit/schemas/test_old_bytes.py` keeps bytes
of every released form.

`gc=False`: trees of data have no cycles, and a stage makes thousands of them a
second that the collector would walk for nothing.
"""

from __future__ import annotations

from typing import Any

import msgspec


class ImageEntry(msgspec.Struct, array_like=True, gc=False):
    """One image that the product has or had. A detached one stays as a tombstone.

    `image_seq`: sequence of the event that brought this version of the image;
    the vector's register uses it. `state_seq`: of the last event that changed
    the image's state.
    """

    url: str
    version: str | None
    image_seq: int
    state_seq: int
    attached: bool = True


class Erased(msgspec.Struct, array_like=True, gc=False):
    """What is kept of a product that was erased: enough to keep it erased.

    `sequence`: of the last event that erased it. `urls`: 8 bytes of hash of
    each image's URL that it had until then (`schemas.ids.url_hash`), so that
    the shards can be told again. `gone`: it was not added again since.
    """

    sequence: int
    urls: list[bytes]
    gone: bool = True


class ProductRecord(msgspec.Struct, array_like=True, gc=False):
    """A product as the log's events made it.

    `sequence`: of the last event applied. `version`: the greatest producer
    version applied. `forwarded`: per origin partition, the sequence of the
    last forwarded event applied. `erased`: that it was erased once.
    """

    product_id: str
    sequence: int
    listed: bool
    version: int | None
    attributes: dict[str, Any]
    images: list[ImageEntry]
    forwarded: dict[int, int] = {}
    erased: Erased | None = None


_encoder = msgspec.msgpack.Encoder()
_decoder = msgspec.msgpack.Decoder(ProductRecord)


def encode_record(record: ProductRecord) -> bytes:
    return _encoder.encode(record)


def decode_record(data: bytes) -> ProductRecord:
    """Raises `msgspec.DecodeError` when the bytes are no record."""
    try:
        return _decoder.decode(data)
    except UnicodeDecodeError as error:
        raise msgspec.DecodeError(str(error)) from error
