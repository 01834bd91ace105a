"""A lost feature store comes back from the records of `image-features`, on RocksDB."""

from __future__ import annotations

import random
import shutil
from pathlib import Path

from feature_store.features import FeatureStore
from feature_store.rebuild import rebuild
from feature_store.rocks.store import RocksStore
from schemas.features.record import FeatureRecord, encode_feature, feature_topic_key
from schemas.ids import content_hash, image_key

PARTITIONS = 3
Entry = tuple[bytes | None, bytes | None]


def record(number: int, extractor_id: str = "lite0", at_ms: int = 1, vector: bytes = b"\0" * 16) -> FeatureRecord:
    return FeatureRecord(image_key(f"u{number}"), extractor_id, vector, content_hash(b"%d" % number), at_ms, 4.0)


def put(feature: FeatureRecord) -> Entry:
    return feature_topic_key(feature.image_key, feature.extractor_id), encode_feature(feature)


def tombstone(number: int, extractor_id: str = "lite0") -> Entry:
    return feature_topic_key(image_key(f"u{number}"), extractor_id), None


def features(folder: Path) -> FeatureStore:
    return FeatureStore(RocksStore(folder, PARTITIONS, lock_wait_s=0.0), PARTITIONS)


def contents(folder: Path) -> dict[bytes, bytes]:
    entries: dict[bytes, bytes] = {}
    for partition in range(PARTITIONS):
        reader = RocksStore(folder, PARTITIONS).reader(partition)
        entries.update(reader.scan())
        reader.close()
    return entries


def test_a_lost_store_comes_back_whole(tmp_path: Path) -> None:
    records = [record(number, extractor) for number in range(2500) for extractor in ("lite0", "vgg16")]
    writer = features(tmp_path / "store").writer()
    writer.put_many(records)
    writer.close()
    before = contents(tmp_path / "store")
    assert len(before) == 2 * len(records)
    shutil.rmtree(tmp_path / "store")
    random.Random(1).shuffle(records)
    report = rebuild(map(put, records), features(tmp_path / "store"))
    assert contents(tmp_path / "store") == before
    assert (report.read, report.written, report.extractors) == (5000, 5000, {"lite0": 2500, "vgg16": 2500})


def test_the_newest_record_wins_in_any_order_and_distance(tmp_path: Path) -> None:
    old, new, newest = (record(1, at_ms=at_ms, vector=bytes([at_ms]) * 16) for at_ms in (1, 2, 3))
    others = [record(number) for number in range(100, 1300)]
    log = [put(new), put(old), *map(put, others), put(newest), put(new), put(old)]
    store = features(tmp_path)
    report = rebuild(log, store)
    reader = store.reader()
    assert reader.get_many([image_key("u1")], "lite0") == [newest]
    reader.close()
    assert (report.read, report.written, report.superseded) == (1205, 1202, 3)


def test_a_tombstone_removes_what_came_before_it_and_nothing_after(tmp_path: Path) -> None:
    store = features(tmp_path)
    writer = store.writer()
    writer.put_many([record(1, at_ms=9), record(2, at_ms=9), record(2, "vgg16")])
    writer.close()
    log = [put(record(3)), tombstone(3), tombstone(1), put(record(1, at_ms=5)), tombstone(2), tombstone(4)]
    report = rebuild(log, store)
    reader = store.reader()
    keys = [image_key(f"u{number}") for number in (1, 2, 3, 4)]
    assert reader.get_many(keys, "lite0") == [record(1, at_ms=5), None, None, None]
    assert reader.get_many(keys, "vgg16") == [None, record(2, "vgg16"), None, None]
    reader.close()
    assert (report.read, report.written, report.superseded, report.removed) == (6, 1, 1, 4)


def test_records_that_cannot_be_used_are_refused_and_the_others_restored(tmp_path: Path) -> None:
    (key, value) = put(record(1))
    log = [(key, b"\xc1"), (b"other key", value), (None, value), (None, None), (b"xyz/lite0", None), (key, value)]
    store = features(tmp_path)
    report = rebuild(log, store)
    assert (report.read, report.refused, report.written) == (6, 5, 1)
    reader = store.reader()
    assert reader.get_many([image_key("u1")], "lite0") == [record(1)]
    reader.close()
