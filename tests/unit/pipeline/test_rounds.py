"""Requests that go round go in bundles: none is lost, none is early, and the waiting ones are in nobody's way."""

from __future__ import annotations

import msgspec
import pytest

from jobs.pipeline.extraction.rounds import MOST_OPENED, Rounds
from jobs.pipeline.stage import Record
from schemas.errors import RejectedError
from schemas.events.extract_request import (
    MAX_BUNDLE,
    ExtractRequest,
    decode_bundle,
    decode_request,
    decode_requests,
    encode_bundles,
    encode_request,
)
from schemas.ids import ImageKey, feature_partition, image_id, image_key, kafka_partition

NOW_MS, LONGEST_MS = 1_700_000_000_000, 600_000
PARTITIONS = 3


def request(number: int, due_ms: int = 0) -> ExtractRequest:
    url = f"https://shop.example/{number}.jpg"
    return ExtractRequest(
        product_id=f"p{number}",
        image_id=image_id(f"p{number}", url).hex(),
        image_key=image_key(url).hex(),
        url=url,
        vector_seq=5,
        extractor_id="x-0-p1-4",
        not_before_ms=due_ms,
    )


def record(value: bytes, offset: int = 0, timestamp_ms: int = NOW_MS) -> Record:
    return Record(b"0", value, 0, offset, timestamp_ms)


def opened(rounds: Rounds, *values: bytes) -> list[ExtractRequest]:
    batch = [record(value, offset) for offset, value in enumerate(values)]
    return [decode_request(each.value) for each in rounds.opened(batch, NOW_MS, LONGEST_MS)]


def key_of(each: ExtractRequest) -> ImageKey:
    return ImageKey(bytes.fromhex(each.image_key))


def test_bundles_hold_every_request_by_when_it_is_due_and_open_with_the_first() -> None:
    requests = [request(number, NOW_MS + 7919 * number % 60_000) for number in range(2 * MAX_BUNDLE + 5)]
    values = list(encode_bundles(requests))
    assert len(values) == 3
    found = [each for value in values for each in decode_requests(value)]
    assert found == sorted(requests, key=lambda each: each.not_before_ms)
    for value in values:
        bundle = decode_bundle(value)
        assert bundle is not None
        assert bundle.not_before_ms == decode_requests(value)[0].not_before_ms


def test_one_alone_stays_as_it_was() -> None:
    assert list(encode_bundles([request(1)])) == [encode_request(request(1))]
    assert list(encode_bundles([])) == []


def test_a_bundle_before_its_time_is_passed_on_byte_for_byte_and_unopened() -> None:
    (later,) = encode_bundles([request(1, NOW_MS + 5000), request(2, NOW_MS + 9000)])
    rounds = Rounds(PARTITIONS)
    assert opened(rounds, later, encode_request(request(3))) == [request(3)]
    (out,) = rounds.records()
    assert (out.key, out.value) == (b"0", later)
    assert (rounds.first_due_ms, rounds.youngest_ms) == (NOW_MS + 5000, NOW_MS)


def test_a_bundle_that_asks_for_an_endless_wait_is_opened_at_once() -> None:
    (endless,) = encode_bundles([request(1, NOW_MS + LONGEST_MS + 1), request(2, NOW_MS + LONGEST_MS + 1)])
    assert len(opened(Rounds(PARTITIONS), endless)) == 2


def test_a_batch_opens_so_many_and_passes_the_rest_on() -> None:
    values = list(encode_bundles([request(number) for number in range(4 * MAX_BUNDLE)]))
    rounds = Rounds(PARTITIONS)
    assert len(opened(rounds, *values)) == MOST_OPENED
    left = [each for out in rounds.records() for each in decode_requests(out.value)]
    assert len(left) == 4 * MAX_BUNDLE - MOST_OPENED


def test_what_goes_round_goes_to_the_partition_of_its_image() -> None:
    rounds = Rounds(PARTITIONS)
    requests = [request(number) for number in range(50)]
    for each in requests:
        rounds.add(key_of(each), each)
    found = []
    for out in rounds.records():
        assert out.key is not None
        for each in decode_requests(out.value):
            assert feature_partition(key_of(each), PARTITIONS) == kafka_partition(out.key, PARTITIONS)
            found.append(each)
    assert sorted(found, key=lambda each: each.url) == sorted(requests, key=lambda each: each.url)


@pytest.mark.parametrize(
    "value",
    [
        b'{"type":"bundle",',
        b'{"type":"bundle","n":1}',
        b'{"type":"bundle","not_before_ms":0,"requests":[]}',
        b'{"type":"bundle","not_before_ms":-1,"requests":[{}]}',
        b'{"type":"bundle","not_before_ms":0,"requests":' + b"[" * 5000,
        b'{"type":"bundle","not_before_ms":0,"requests":[' + b",".join([b"{}"] * 300) + b"]}",
    ],
)
def test_what_begins_as_a_bundle_and_is_none_is_refused_as_a_request(value: bytes) -> None:
    with pytest.raises(RejectedError):
        decode_bundle(value)
    (only,) = Rounds(PARTITIONS).opened([record(value)], NOW_MS, LONGEST_MS)
    with pytest.raises(RejectedError):
        decode_request(only.value)


def test_a_bundle_within_a_bundle_is_no_request() -> None:
    (inner,) = encode_bundles([request(1), request(2)])
    outer = b'{"type":"bundle","not_before_ms":0,"requests":[' + inner + b"]}"
    (only,) = Rounds(PARTITIONS).opened([record(outer)], NOW_MS, LONGEST_MS)
    with pytest.raises(RejectedError):
        decode_request(only.value)


def test_a_long_request_has_a_bundle_of_its_own() -> None:
    long = [msgspec.structs.replace(request(number), url="https://s/" + "x" * 4000) for number in range(200)]
    values = list(encode_bundles(long))
    assert len(values) > 1
    assert max(map(len, values)) < 300_000
    assert len([each for value in values for each in decode_requests(value)]) == 200
