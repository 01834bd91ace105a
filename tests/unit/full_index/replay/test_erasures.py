"""Which features go with an erased product, and that their owner leaves no byte of them, on real stores."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from feature_store.features import FeatureWriter
from feature_store.open import catalogue_store, feature_store
from feature_store.products import ProductReader
from jobs.full_index.replay.erasures import ErasedFeature, erased_features, erasure_request
from jobs.pipeline.catalogue.config import CatalogueConfig
from jobs.pipeline.catalogue.stage import CatalogueStage
from jobs.pipeline.stage import Record
from schemas.events.extract_request import check_request, decode_request, encode_request
from schemas.features.record import FeatureRecord, refusal
from schemas.ids import ImageKey, content_hash, image_key, kafka_partition, sequence
from tests.support.metrics import CountingMetrics

EXTRACTOR, FORMER = "now-0-p1-4", "former-0-p1-4"
PARTITIONS = 2
OWN, SHARED, ANEW, KEPT = (f"https://h/MARKER-{name}.jpg" for name in ("own", "shared", "anew", "kept"))


def feature(url: str, version: str | None = None, extractor_id: str = EXTRACTOR) -> FeatureRecord:
    key = image_key(url, version)
    return FeatureRecord(key, extractor_id, b"VECTOR-" + key.hex().encode(), content_hash(key), 0, 1.0, url)


FEATURES = [
    feature(OWN, "1"),
    feature(OWN, "2"),
    feature(OWN, "2", FORMER),
    feature(SHARED),
    feature(SHARED, "old"),
    feature(ANEW),
    feature(KEPT),
    refusal(image_key(OWN, "3"), EXTRACTOR, 0, OWN),
]


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    writer = feature_store(tmp_path / "features", PARTITIONS).writer()
    writer.put_many(FEATURES)
    writer.close()
    config = CatalogueConfig(str(tmp_path / "products"), str(tmp_path / "none"), PARTITIONS, 1, 1, (EXTRACTOR,))
    stage = CatalogueStage(config)
    stage.open(CountingMetrics())
    images = [{"url": OWN, "version": "1"}, {"url": SHARED}, {"url": ANEW}]
    events: list[dict[str, object]] = [
        {"type": "product_added", "product_id": "gone", "images": images},
        {"type": "product_updated", "product_id": "gone", "images_added": [{"url": OWN, "version": "2"}]},
        {"type": "product_added", "product_id": "other", "images": [{"url": SHARED}, {"url": KEPT}]},
        {"type": "product_removed", "product_id": "other"},
        {"type": "product_erased", "product_id": "gone"},
        {"type": "product_added", "product_id": "gone", "images": [{"url": ANEW}]},
    ]
    for offset, event in enumerate(events):
        partition = kafka_partition(str(event["product_id"]).encode(), PARTITIONS)
        stage.process([Record(None, json.dumps(event).encode(), partition, offset, 0)])
    stage.close()
    return tmp_path


def found(folder: Path, oldest: int = 0) -> list[ErasedFeature]:
    products = ProductReader(catalogue_store(folder / "products", PARTITIONS))
    features = feature_store(folder / "features", PARTITIONS).reader()
    try:
        return erased_features(products, features, [oldest] * PARTITIONS)
    finally:
        products.close()
        features.close()


def test_features_go_that_no_product_refers_to_whatever_version_or_extractor(folder: Path) -> None:
    keys = {(each.extractor_id, each.image_key) for each in found(folder)}
    assert keys == {
        (EXTRACTOR, image_key(OWN, "1")),
        (EXTRACTOR, image_key(OWN, "2")),
        (FORMER, image_key(OWN, "2")),
        (EXTRACTOR, image_key(SHARED, "old")),
        (f"refused/{EXTRACTOR}", image_key(OWN, "3")),
    }


def test_erasure_that_the_log_no_longer_holds_was_dealt_with(folder: Path) -> None:
    assert found(folder, oldest=sequence(0, 5)) == []


def test_owner_leaves_no_byte_of_them_and_the_others_as_they_were(folder: Path) -> None:
    writer = feature_store(folder / "features", PARTITIONS).writer()
    gone = found(folder)
    for each in gone:
        request = decode_request(encode_request(erasure_request(each)))
        check_request(request)
        assert (request.erase, request.vector_seq) == (True, sequence(0, 4))
        assert writer.erase_many([ImageKey(bytes.fromhex(request.image_key))], request.extractor_id) == 1
    assert writer.erase_many([gone[0].image_key], gone[0].extractor_id) == 0
    _check_left(writer)
    data = on_disk(folder / "features")
    assert OWN.encode() not in data
    assert not any(record.vector in data for record in FEATURES[:3])
    assert found(folder) == []
    writer.close()
    # Keys, which are hashes, lie in RocksDB's own journal as borders of files, until it is opened anew.
    writer = feature_store(folder / "features", PARTITIONS).writer()
    _check_left(writer)
    data = on_disk(folder / "features")
    assert not any(content_hash(record.image_key) in data for record in FEATURES[:3])
    writer.close()


def on_disk(folder: Path) -> bytes:
    return b"".join(file.read_bytes() for file in folder.rglob("*") if file.is_file())


def _check_left(writer: FeatureWriter) -> None:
    left = [image_key(url) for url in (SHARED, ANEW, KEPT)]
    assert [record is not None for record in writer.get_many(left, EXTRACTOR)] == [True] * 3
    known = writer.find_content([content_hash(key) for key in left], EXTRACTOR)
    assert [record is not None and record.image_key for record in known] == left
