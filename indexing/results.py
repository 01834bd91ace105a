"""What a shard answers with."""

from __future__ import annotations

import msgspec


class Hit(msgspec.Struct, frozen=True, gc=False):
    """One image found, as it stands when the answer is made. `score`: inner product.

    `price`, `praise` NaN and `sales` -1: unknown. `attributes`: a JSON object.
    """

    image_id: bytes
    product_id: str
    score: float
    url: str
    price: float
    sales: int
    praise: float
    attributes: bytes
    state_seq: int


class ImageState(msgspec.Struct, frozen=True, gc=False):
    """All that a shard knows of one image. `vector`: little-endian float32, b"" when there is none."""

    image_id: bytes
    url: str
    valid: bool
    searchable: bool
    state_seq: int
    vector_seq: int
    price: float
    sales: int
    praise: float
    attributes: bytes
    vector: bytes


class ShardStats(msgspec.Struct, frozen=True, kw_only=True):
    """Counts of one shard. images >= valid = searchable + pending; rows >= images.

    `images`: known images, also removed ones and those whose state is not
    known yet; `pending`: valid ones without a usable vector; `rows`: rows of
    the forward index, those of replaced vectors included; `digest`: 16 bytes,
    see `indexing.digest`; `index_kind`: see `indexing.kinds`; `nprobe`: lists
    probed by default. The rest counts deltas since the start of the process:
    `ignored_vectors` had another extractor, a wrong length or numbers that are
    not finite, `ignored_rows` no 16-byte image id.
    """

    images: int
    valid: int
    searchable: int
    pending: int
    rows: int
    digest: bytes
    memory_bytes: int
    index_kind: str
    lists: int
    nprobe: int
    applied_rows: int
    ignored_vectors: int
    ignored_rows: int
