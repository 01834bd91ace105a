"""Requests, features and forwarded events that no stage wrote: a stage goes on, and takes the true ones after them."""

from __future__ import annotations

import json
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import msgspec
import numpy as np
import pytest

from feature_store.features import FeatureStore
from feature_store.memory import MemoryStore
from feature_store.rebuild import rebuild
from jobs.pipeline.stage import Record
from schemas.errors import RejectedError
from schemas.events.dead_letter import decode_dead_letter
from schemas.events.extract_request import check_request, decode_request
from schemas.features.record import FeatureRecord, encode_feature, feature_topic_key
from schemas.ids import content_hash, image_id, image_key, kafka_partition, sequence
from schemas.topics import DEAD_LETTERS, INDEX_DELTAS, PRODUCT_EVENTS
from tests.support.stages.catalogue import PARTITIONS, World, added, deltas, to

URL = "https://shop.example/1.jpg"
REQUEST = {
    "product_id": "p",
    "image_id": image_id("p", URL).hex(),
    "image_key": image_key(URL).hex(),
    "url": URL,
    "vector_seq": 5,
    "extractor_id": "e",
}
NOT_ASKED: dict[str, dict[str, Any]] = {
    "no sequence": {"vector_seq": 0},
    "a negative sequence": {"vector_seq": -1},
    "a sequence beyond 64 bits": {"vector_seq": 2**63},
    "a huge sequence": {"vector_seq": 10**40},
    "half a sequence": {"vector_seq": 1.5},
    "a sequence in words": {"vector_seq": "5"},
    "a negative attempt": {"attempt": -1},
    "a huge attempt": {"attempt": 10**40},
    "a time before time": {"not_before_ms": -1},
    "a huge time": {"not_before_ms": 10**40},
    "another product": {"product_id": "q"},
    "no product": {"product_id": ""},
    "a long product": {"product_id": "p" * 600},
    "no URL": {"url": ""},
    "a long URL": {"url": "u" * 5000},
    "a short image": {"image_id": "00"},
    "an image that is no hex": {"image_id": "x" * 32},
    "a short key": {"image_key": "00" * 15},
    "a null URL": {"url": None},
    "a list for an extractor": {"extractor_id": ["e"]},
}


@pytest.mark.parametrize("case", NOT_ASKED)
def test_request_that_nobody_asked_is_rejected(case: str) -> None:
    with pytest.raises(RejectedError, match="invalid_request"):
        check_request(decode_request(json.dumps({**REQUEST, **NOT_ASKED[case]}).encode()))
    check_request(decode_request(json.dumps(REQUEST).encode()))


@pytest.mark.parametrize("value", [b"", b"{", b"[]", b"null", b"[" * 100_000, b'{"a":' * 100_000, b"\xff\xfe"])
def test_bytes_that_are_no_request_are_rejected(value: bytes) -> None:
    with pytest.raises(RejectedError, match="invalid_request"):
        decode_request(value)


def feature(**changes: Any) -> FeatureRecord:
    vector = np.full(4, 0.5, "<f4").tobytes()
    made = FeatureRecord(image_key(URL), "e-1-p1-4", vector, content_hash(b"x"), 1_767_000_000_000, 4.0, URL)
    return msgspec.structs.replace(made, **changes)


NO_FEATURES: dict[str, dict[str, Any]] = {
    "a short key": {"image_key": b"k"},
    "no extractor": {"extractor_id": ""},
    "no vector": {"vector": b""},
    "a vector of odd length": {"vector": b"abcde"},
    "a vector that is no number": {"vector": np.full(4, np.nan, "<f4").tobytes()},
    "an infinite vector": {"vector": np.full(4, np.inf, "<f4").tobytes()},
    "a long vector": {"vector": np.full(4, 1e30, "<f4").tobytes()},
    "a short hash": {"content_hash": b"x"},
    "a time to come": {"extracted_at_ms": 2**62},
    "a time before time": {"extracted_at_ms": -1},
    "endless work": {"cnn_ms": float("inf")},
    "work that is no number": {"cnn_ms": float("nan")},
}


@pytest.mark.parametrize("case", NO_FEATURES)
def test_feature_that_cannot_be_is_refused_and_the_true_one_is_restored(case: str) -> None:
    forged = feature(**NO_FEATURES[case])
    store = FeatureStore(MemoryStore(2), 2)
    entries = [(feature_topic_key(each.image_key, each.extractor_id), encode_feature(each)) for each in
               (feature(), forged)]  # fmt: skip
    report = rebuild([*entries, (b"no key", b"no feature"), (None, None)], store)
    assert (report.written, report.refused) == (1, 3)
    assert store.writer().get_many([image_key(URL)], "e-1-p1-4") == [feature()]


@pytest.fixture
def world(tmp_path: Path) -> Iterator[World]:
    world = World(tmp_path)
    yield world
    world.stage.close()


def forwarded(event: object, partition: object, number: object) -> bytes:
    said = {"type": "forwarded", "origin_partition": partition, "origin_sequence": number, "event": event}
    return json.dumps(said).encode()


ORIGINS: dict[str, tuple[object, object]] = {
    "a partition that there is not": (PARTITIONS, sequence(0, 1)),
    "the last partition of all": (2**31 - 1, sequence(0, 1)),
    "a partition beyond 32 bits": (2**40, sequence(0, 1)),
    "a negative partition": (-1, sequence(0, 1)),
    "a partition in words": ("0", sequence(0, 1)),
    "a later epoch": (0, sequence(1, 0)),
    "the last sequence of all": (0, 2**63 - 1),
    "a sequence beyond 64 bits": (0, 2**63),
    "no sequence": (0, 0),
    "a null sequence": (0, None),
}


@pytest.mark.parametrize("case", ORIGINS)
def test_event_forwarded_from_where_it_cannot_have_been_is_a_dead_letter(world: World, case: str) -> None:
    home = kafka_partition(b"p1", PARTITIONS)
    out = world.stage.process([world.record(forwarded(added("p1", URL, price=3), *ORIGINS[case]), home)])
    (letter,) = [decode_dead_letter(record.value) for record in to(DEAD_LETTERS, out)]
    assert letter.reason in ("invalid_event", "not_json")
    assert to(INDEX_DELTAS, out) == to(PRODUCT_EVENTS, out) == []
    # A true one, from the same partition, is applied after it.
    true = world.stage.process([world.record(forwarded(added("p1", URL, price=4), 0, sequence(0, 7)), home)])
    (batch,) = deltas(true)
    assert batch.price == [4.0]


@pytest.mark.parametrize(
    "inner",
    [None, 7, [], {}, {"type": "heartbeat", "partition": 0}, {"type": "forwarded"}, {"type": "product_added"},
     {"type": "forwarded", "origin_partition": 0, "origin_sequence": 1, "event": added("p1", URL)},
     {"type": "product_updated", "product_id": "", "product": {}}],
)  # fmt: skip
def test_forwarded_thing_that_is_no_event_is_a_dead_letter(world: World, inner: object) -> None:
    out = world.stage.process([world.record(forwarded(inner, 0, sequence(0, 1)), 0), world.record(added("p2", URL))])
    assert len(to(DEAD_LETTERS, out)) == 1
    assert len(deltas(out)) == 1


def test_record_without_key_value_or_sense_is_a_dead_letter(world: World) -> None:
    now_ms = time.time_ns() // 1_000_000
    bad = [
        Record(None, value, 0, 50 + number, now_ms) for number, value in enumerate((None, b"", b"\x00", b"[" * 10_000))
    ]
    out = world.stage.process([*bad, world.record(added("p3", URL))])
    assert len(to(DEAD_LETTERS, out)) == len(bad)
    assert len(deltas(out)) == 1
