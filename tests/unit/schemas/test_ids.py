"""Identities and placements: the same as Kafka's, and the same tomorrow as today."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from kafka.partitioner import murmur2 as kafka_python_murmur2

from schemas.ids import (
    content_hash,
    feature_partition,
    image_id,
    image_key,
    kafka_partition,
    murmur2,
    product_hash,
    routing_key,
    sequence,
    shard_of_image,
    shard_of_product,
)

# org.apache.kafka.common.utils.UtilsTest.testMurmur2
KAFKA_VECTORS = {
    b"21": -973932308,
    b"foobar": -790332482,
    b"a-little-bit-long-string": -985981536,
    b"a-little-bit-longer-string": -1486304829,
    b"lkjh234lh9fiuh90y23oiuhsafujhadof229phr9h19h89h8": -58897971,
    b"abc": 479470107,
}


@pytest.mark.parametrize(("key", "signed"), KAFKA_VECTORS.items())
def test_murmur2_gives_kafkas_own_test_vectors(key: bytes, signed: int) -> None:
    assert murmur2(key) == signed & 0xFFFFFFFF


@settings(deadline=None)
@given(st.binary(max_size=64))
def test_murmur2_agrees_with_kafka_python(key: bytes) -> None:
    assert murmur2(key) == kafka_python_murmur2(key) & 0xFFFFFFFF


@settings(deadline=None)
@given(st.integers(1, 64), st.data())
def test_a_routing_key_lands_in_its_partition(partitions: int, data: st.DataObject) -> None:
    partition = data.draw(st.integers(0, partitions - 1))
    assert kafka_partition(routing_key(partition, partitions), partitions) == partition


@settings(deadline=None)
@given(st.text(max_size=20), st.text(max_size=20), st.integers(1, 4096))
def test_a_products_images_share_its_shard(product: str, url: str, shards: int) -> None:
    image = image_id(product, url)
    assert len(image) == 16
    assert image[:8] == product_hash(product)
    assert shard_of_image(image, shards) == shard_of_product(product, shards) < shards
    assert 0 <= feature_partition(image_key(url), shards) < shards


def test_sequences_grow_with_the_offset_and_always_with_the_epoch() -> None:
    assert sequence(0, 0) == 1
    assert sequence(1, 5) < sequence(1, 6) < sequence(2, 0)
    assert sequence(2**15 - 1, 2**48 - 2) < 2**63


def test_an_image_keeps_its_identity_over_versions_and_its_picture_does_not() -> None:
    assert image_key("u") == image_key("u", None)
    assert len({image_key("u"), image_key("u", "1"), image_key("u", "2"), image_key("u1")}) == 4


def test_identities_are_these_for_ever() -> None:
    url = "https://images.example.com/p1/1.jpg"
    assert image_id("p1", url).hex() == "e81665c97894ce91bed400427e1976d7"
    assert image_key(url).hex() == "225172110a171300d4dc20bf751aea26"
    assert image_key(url, "v2").hex() == "df8efc7b309b5c0460521d4d6ffcdd9b"
    assert content_hash(b"bytes").hex() == "a3ac9bca8624d2caf63b36296ed39fcb257dbe65631499d31f4544eba9717080"
    assert [shard_of_product(f"p{n}", 4) for n in range(8)] == [1, 0, 0, 1, 1, 1, 0, 0]
    assert [routing_key(n, 4) for n in range(4)] == [b"0", b"4", b"5", b"1"]
