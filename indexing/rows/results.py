"""What a shard answers with, besides hits (`schemas/found.py`)."""

from __future__ import annotations

import msgspec

HIT_ATTRIBUTES_BYTES = 4096
"""Longer attributes do not come with a hit. Most hits are never shown; of a product that is, they are asked for."""
ANSWER_ATTRIBUTES_BYTES = 1 << 20
"""Attributes that come with all hits of one query."""


class ProductState(msgspec.Struct, frozen=True, gc=False):
    """What is shown of a product that is on sale, whichever its image. Numbers as in `Hit`; `attributes` whole."""

    price: float
    sales: int
    praise: float
    attributes: bytes


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
    """Counts of one shard. images >= valid = searchable + pending + refused; rows >= images.

    `images`: known images, also removed ones and those whose state is not
    known yet; `pending`: valid ones that wait for their vector, `refused`:
    those that extraction gave up, see `indexing.shard.refusals`; `rows`: rows of
    the forward index, those of replaced vectors included; `digest`: 16 bytes,
    see `indexing.rows.digest`; `index_kind`: see `indexing.lists.kinds`; `nprobe`: lists
    probed by default. The rest counts deltas since the start of the process:
    `ignored_vectors` had another extractor, a wrong length or numbers that are
    not finite, `ignored_rows` no 16-byte image id.
    """

    images: int
    valid: int
    searchable: int
    pending: int
    refused: int
    rows: int
    digest: bytes
    memory_bytes: int
    index_kind: str
    lists: int
    nprobe: int
    applied_rows: int
    ignored_vectors: int
    ignored_rows: int
