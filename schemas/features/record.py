"""Feature records: one image's vector under one extractor (MessagePack).

Stored in the feature store and, compacted, in `image-features`, from which a
lost store is rebuilt. Fields are only ever appended, with a default.
"""

from __future__ import annotations

import msgspec

from schemas.errors import CorruptError
from schemas.features.stored import cannot_be

_CLOCKS_MS = 300_000
"""How far the clock of the machine that extracted may be ahead."""


class FeatureRecord(msgspec.Struct, frozen=True, array_like=True, gc=False):
    """`vector`: as `schemas.features.stored` says, of length 1. `cnn_ms`: what extracting it cost, for the reuse meter.

    `content_hash`: BLAKE2b-256 of the image file's bytes, or, where the shop
    gave the vector, of the vector's; `extracted_at_ms` is then when it was stored.
    """

    image_key: bytes
    extractor_id: str
    vector: bytes
    content_hash: bytes
    extracted_at_ms: int
    cnn_ms: float
    url: str = ""


def refusals_of(extractor_id: str) -> str:
    """Under this id, and without a vector, stands that an image was given up for the extractor."""
    return f"refused/{extractor_id}"


def refusal(image_key: bytes, extractor_id: str, at_ms: int, url: str) -> FeatureRecord:
    """That extraction gave the image up. A feature of the same image under the extractor itself counts more."""
    return FeatureRecord(image_key, refusals_of(extractor_id), b"", b"", at_ms, 0.0, url)


_encoder = msgspec.msgpack.Encoder()
_decoder = msgspec.msgpack.Decoder(FeatureRecord)


def encode_feature(record: FeatureRecord) -> bytes:
    return _encoder.encode(record)


def decode_feature(data: bytes) -> FeatureRecord:
    """Raises `CorruptError` when the bytes are no feature record."""
    try:
        return _decoder.decode(data)
    except (msgspec.MsgspecError, UnicodeDecodeError) as error:
        raise CorruptError(
            f"feature record does not decode ({error}); rebuild the store from image-features"
        ) from error


def check_feature(record: FeatureRecord, now_ms: int) -> None:
    """What types cannot say, of a record that comes from outside the store. Raises `CorruptError`.

    One of the future would win over every later one, and one with a vector of
    half a number would stop whoever reads it.
    """
    if len(record.image_key) != 16 or len(record.content_hash) != 32:
        raise CorruptError(f"image key of {len(record.image_key)} bytes, content hash of {len(record.content_hash)}")
    if not record.extractor_id or not record.vector or cannot_be([record.vector], record.extractor_id)[0]:
        raise CorruptError(f"{len(record.vector)} bytes are no normalised vector of extractor {record.extractor_id!r}")
    if not 0 <= record.extracted_at_ms <= now_ms + _CLOCKS_MS or not 0 <= record.cnn_ms < 1e12:
        raise CorruptError(f"extracted at {record.extracted_at_ms} ms in {record.cnn_ms} ms; it is {now_ms} ms now")


def feature_topic_key(image_key: bytes, extractor_id: str) -> bytes:
    """Key of the compacted topic `image-features`: one survivor per image and extractor."""
    return image_key.hex().encode() + b"/" + extractor_id.encode()
