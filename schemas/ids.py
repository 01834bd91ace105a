"""Identities and the two pure placements (shard, Kafka partition).

Hashes are BLAKE2b (RFC 7693): keyed by nothing, stable across processes and
machines, and not forgeable by a catalogue that contains hostile URLs.
"""

from __future__ import annotations

from functools import cache
from hashlib import blake2b
from math import gcd
from typing import NewType

ImageId = NewType("ImageId", bytes)
"""16 bytes: 8 of the product's hash, 8 of the URL's. One image *of one product*; the index's row identity."""

ImageKey = NewType("ImageKey", bytes)
"""16 bytes: hash of URL and image version. What a feature is stored under; shared by all products that show it."""

EPOCH_SHIFT = 48
"""A sequence is `epoch << 48 | offset`: it fits int64 and grows with the log, also over a recreated topic."""


def product_hash(product_id: str) -> bytes:
    """The 8 bytes that begin every `ImageId` of this product."""
    return blake2b(product_id.encode(), digest_size=8).digest()


def url_hash(url: str) -> bytes:
    """The 8 bytes that end the `ImageId` of every image with this URL."""
    return blake2b(url.encode(), digest_size=8).digest()


def image_id(product_id: str, url: str) -> ImageId:
    """Identity of `url` as an image of `product_id`. A new version of the image keeps it."""
    return ImageId(product_hash(product_id) + url_hash(url))


def image_key(url: str, version: str | None = None) -> ImageKey:
    """Identity of the picture behind `url`; a changed `version` means other bytes, hence another feature."""
    text = url if version is None else f"{url}\x00{version}"
    return ImageKey(blake2b(text.encode(), digest_size=16).digest())


def content_hash(data: bytes) -> bytes:
    """32 bytes that identify an image file's bytes, to reuse a feature under another URL."""
    return blake2b(data, digest_size=32).digest()


def shard_of_image(image: bytes, shards: int) -> int:
    """The shard that holds this image: a function of its product alone, so a product is never split."""
    return int.from_bytes(image[:8], "little") % shards


def shard_of_product(product_id: str, shards: int) -> int:
    """The shard that holds all images of this product."""
    return int.from_bytes(product_hash(product_id), "little") % shards


def delta_partitions_of_shard(shard: int, shards: int, partitions: int) -> list[int]:
    """The partitions of `index-deltas` that may hold products of this shard.

    A product lies in shard `hash % shards` and its deltas in partition
    `hash % partitions`: both are congruent modulo the greatest common divisor.
    With as many shards as partitions that is the shard's own partition alone.
    """
    step = gcd(shards, partitions)
    return list(range(shard % step, partitions, step))


def feature_partition(key: bytes, partitions: int) -> int:
    """The feature store partition (= partition of `extract-requests`) of an `ImageKey`."""
    return int.from_bytes(key[:8], "little") % partitions


def sequence(epoch: int, offset: int) -> int:
    """Total order of one product's events: the log offset under the topic's epoch. Always > 0.

    Offsets start at 0, and 0 means "no sequence" in a delta; hence the + 1.
    """
    return (epoch << EPOCH_SHIFT) | (offset + 1)


def murmur2(data: bytes) -> int:
    """Kafka's murmur2 (`org.apache.kafka.common.utils.Utils.murmur2`), as an unsigned 32-bit number."""
    mask = 0xFFFFFFFF
    m = 0x5BD1E995
    length = len(data)
    h = (0x9747B28C ^ length) & mask
    whole = length & ~3
    for i in range(0, whole, 4):
        k = int.from_bytes(data[i : i + 4], "little")
        k = (k * m) & mask
        k ^= k >> 24
        k = (k * m) & mask
        h = ((h * m) & mask) ^ k
    rest = data[whole:]
    if rest:
        h = ((h ^ int.from_bytes(rest, "little")) * m) & mask
    h ^= h >> 13
    h = (h * m) & mask
    return h ^ (h >> 15)


def kafka_partition(key: bytes, partitions: int) -> int:
    """The partition that Kafka's default partitioner (Java client) gives `key`."""
    return (murmur2(key) & 0x7FFFFFFF) % partitions


@cache
def routing_key(partition: int, partitions: int) -> bytes:
    """The smallest decimal key that Kafka's default partitioner sends to `partition` of `partitions`.

    It lets a Flink sink, whose partitioner is fixed, address a partition.
    """
    number = 0
    while kafka_partition(key := str(number).encode(), partitions) != partition:
        number += 1
    return key
