"""The feature facade, on the in-memory store."""

from __future__ import annotations

import pytest

from feature_store.features import FeatureReader, FeatureStore, FeatureWriter, feature_key
from feature_store.memory import MemoryStore
from feature_store.port import ReadPartition
from schemas.errors import CorruptError, OperatorError
from schemas.features.record import FeatureRecord
from schemas.ids import ImageKey, content_hash, feature_partition, image_key

PARTITIONS = 4
KEYS = [image_key(f"https://shop.example/{i}.jpg") for i in range(40)]


def record(key: ImageKey, extractor_id: str = "lite0", content: bytes | None = None, at_ms: int = 1) -> FeatureRecord:
    return FeatureRecord(key, extractor_id, key + extractor_id.encode(), content_hash(content or key), at_ms, 5.0)


class Clock:
    now = 0.0

    def __call__(self) -> float:
        return self.now


class CountingStore(MemoryStore):
    """Counts how often secondaries are opened and catch up."""

    def __init__(self) -> None:
        super().__init__(PARTITIONS)
        self.opened: list[int] = []
        self.caught_up: list[int] = []

    def reader(self, partition: int) -> ReadPartition:  # type: ignore[override]
        self.opened.append(partition)
        reader = super().reader(partition)
        catch_up = reader.catch_up

        def counted() -> None:
            self.caught_up.append(partition)
            catch_up()

        reader.catch_up = counted  # type: ignore[method-assign]
        return reader


@pytest.fixture
def store() -> CountingStore:
    return CountingStore()


def test_records_come_in_the_order_asked_for_over_all_partitions(store: CountingStore) -> None:
    writer = FeatureStore(store, PARTITIONS).writer()
    writer.put_many(record(key) for key in KEYS[::2])
    assert {feature_partition(key, PARTITIONS) for key in KEYS[::2]} == set(range(PARTITIONS))
    expected = [record(key) if position % 2 == 0 else None for position, key in enumerate(KEYS)]
    assert writer.get_many(KEYS, "lite0") == expected
    reader = FeatureStore(store, PARTITIONS).reader()
    assert reader.get_many(KEYS, "lite0") == expected
    assert reader.get_many([], "lite0") == []


def test_two_extractors_live_beside_each_other(store: CountingStore) -> None:
    writer = FeatureStore(store, PARTITIONS).writer()
    writer.put_many([record(KEYS[0], "lite0"), record(KEYS[0], "vgg16"), record(KEYS[1], "vgg16")])
    assert writer.get_many(KEYS[:2], "lite0") == [record(KEYS[0], "lite0"), None]
    assert writer.get_many(KEYS[:2], "vgg16") == [record(KEYS[0], "vgg16"), record(KEYS[1], "vgg16")]
    assert writer.find_content([content_hash(KEYS[1])], "lite0") == [None]
    writer.delete_many([KEYS[0]], "lite0")
    assert writer.get_many(KEYS[:1], "lite0") == [None]
    assert writer.get_many(KEYS[:1], "vgg16") == [record(KEYS[0], "vgg16")]


def test_content_is_found_under_another_image_key_whoever_owns_its_partition(store: CountingStore) -> None:
    other = FeatureStore(store, PARTITIONS).writer()
    theirs = next(key for key in KEYS if feature_partition(key, PARTITIONS) == 1)
    other.put_many([record(theirs, content=b"their picture")])
    mine = next(key for key in KEYS if feature_partition(key, PARTITIONS) == 2)
    writer = FeatureStore(store, PARTITIONS).writer()
    writer.put_many([record(mine, content=b"my picture")])
    hashes = [content_hash(b"unknown"), content_hash(b"their picture"), content_hash(b"my picture")]
    assert writer.find_content(hashes, "lite0") == [
        None,
        record(theirs, content=b"their picture"),
        record(mine, content=b"my picture"),
    ]


def test_content_of_own_partitions_asks_nobody_else(store: CountingStore) -> None:
    writer = FeatureStore(store, PARTITIONS).writer()
    writer.put_many([record(KEYS[0], content=b"picture")])
    assert writer.find_content([content_hash(b"picture")], "lite0") == [record(KEYS[0], content=b"picture")]
    assert store.opened == []


def test_content_that_its_image_no_longer_has_is_not_found(store: CountingStore) -> None:
    writer = FeatureStore(store, PARTITIONS).writer()
    writer.put_many([record(KEYS[0], content=b"old")])
    writer.put_many([record(KEYS[0], content=b"new")])
    assert writer.find_content([content_hash(b"old"), content_hash(b"new")], "lite0") == [
        None,
        record(KEYS[0], content=b"new"),
    ]
    writer.delete_many([KEYS[0]], "lite0")
    assert writer.find_content([content_hash(b"new")], "lite0") == [None]


def test_a_writer_takes_a_partition_when_given_a_key_of_it_and_no_other(store: CountingStore) -> None:
    writer = FeatureStore(store, PARTITIONS).writer()
    own = feature_partition(KEYS[0], PARTITIONS)
    writer.find_content([content_hash(b"x")], "lite0")
    writer.get_many([KEYS[0]], "lite0")
    with pytest.raises(OperatorError, match=f"partition {own} is open"):
        store.writer(own)
    for partition in set(range(PARTITIONS)) - {own}:
        store.writer(partition).close()
    writer.close()
    store.writer(own).close()


def test_a_reader_catches_up_only_for_misses_and_not_more_often_than_allowed(store: CountingStore) -> None:
    clock = Clock()
    writer = FeatureWriter(store, PARTITIONS)
    reader = FeatureReader(store, PARTITIONS, catch_up_interval_ms=50, clock=clock)
    key = KEYS[0]
    assert reader.get_many([key], "lite0") == [None]
    writer.put_many([record(key)])
    clock.now = 0.049
    assert reader.get_many([key], "lite0") == [None]
    assert store.caught_up == []
    clock.now = 0.051
    assert reader.get_many([key, key], "lite0") == [record(key), record(key)]
    assert store.caught_up == [feature_partition(key, PARTITIONS)]
    clock.now = 10.0
    assert reader.get_many([key], "lite0") == [record(key)]
    assert len(store.caught_up) == 1


def test_bytes_that_are_no_record_are_corrupt(store: CountingStore) -> None:
    writer = store.writer(feature_partition(KEYS[0], PARTITIONS))
    writer.write([(feature_key(KEYS[0], "lite0"), b"\xc1 no record")])
    with pytest.raises(CorruptError, match="rebuild the store from image-features"):
        FeatureStore(store, PARTITIONS).reader().get_many([KEYS[0]], "lite0")
