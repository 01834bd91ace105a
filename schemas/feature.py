"""Feature records: one image's vector under one extractor (MessagePack).

Stored in the feature store and, compacted, in `image-features`, from which a
lost store is rebuilt. Fields are only ever appended, with a default.
"""

from __future__ import annotations

import msgspec
import numpy as np
from numpy.typing import NDArray

from schemas.errors import CorruptError


class FeatureRecord(msgspec.Struct, frozen=True, array_like=True, gc=False):
    """`vector`: little-endian float32, L2-normalised. `cnn_ms`: what extracting it cost, for the reuse meter.

    `content_hash`: BLAKE2b-256 of the image file's bytes.
    """

    image_key: bytes
    extractor_id: str
    vector: bytes
    content_hash: bytes
    extracted_at_ms: int
    cnn_ms: float
    url: str = ""

    def array(self) -> NDArray[np.float32]:
        """The vector, shape (dimension,)."""
        return np.frombuffer(self.vector, dtype="<f4")


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


def feature_topic_key(image_key: bytes, extractor_id: str) -> bytes:
    """Key of the compacted topic `image-features`: one survivor per image and extractor."""
    return image_key.hex().encode() + b"/" + extractor_id.encode()
