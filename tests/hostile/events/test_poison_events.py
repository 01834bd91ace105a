"""Whatever lies in the log, decoding an event answers with an event or a RejectedError, never with anything else."""

from __future__ import annotations

import base64
import json

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from schemas.errors import RejectedError
from schemas.events.attributes import MAX_DEPTH
from schemas.events.event import (
    MAX_ENVELOPE_BYTES,
    MAX_EVENT_BYTES,
    Forwarded,
    ProductAdded,
    ProductRemoved,
    ProductUpdated,
    decode_event,
    decode_forwarded,
    forward,
)
from schemas.events.record import ImageEntry, ProductRecord, decode_record, encode_record

REASONS = {"empty", "too_large", "not_json", "invalid_event", "cloudevent"}


def _added(product: bytes) -> bytes:
    return b'{"type":"product_added","product_id":"p","product":%s}' % product


def _nested(depth: int) -> bytes:
    return b'{"x":' + b"[" * depth + b"]" * depth + b"}"


def _vector(vector: bytes) -> bytes:
    return b'{"type":"product_added","product_id":"p","images":[{"url":"u","vector":%s}]}' % vector


POISON: dict[str, tuple[bytes | None, str]] = {
    "no value": (None, "empty"),
    "no bytes": (b"", "empty"),
    "10 MB": (b"[" * 10_000_000, "too_large"),
    "blanks": (b"   ", "not_json"),
    "not JSON": (b"hello", "not_json"),
    "half an event": (b'{"type":"product_added","product_id":"p"', "not_json"),
    "two events": (b'{"type":"product_removed","product_id":"p"}' * 2, "not_json"),
    "UTF-16": ('{"type":"product_removed","product_id":"p"}'.encode("utf-16"), "not_json"),
    "null": (b"null", "invalid_event"),
    "a list": (b"[]", "invalid_event"),
    "no type": (b'{"product_id":"p"}', "invalid_event"),
    "unknown kind": (b'{"type":"product_sold","product_id":"p"}', "invalid_event"),
    "type is no text": (b'{"type":5,"product_id":"p"}', "invalid_event"),
    "no id": (b'{"type":"product_removed"}', "invalid_event"),
    "empty id": (b'{"type":"product_removed","product_id":""}', "invalid_event"),
    "id is a number": (b'{"type":"product_removed","product_id":7}', "invalid_event"),
    "id of 513 bytes": (json.dumps({"type": "product_removed", "product_id": "é" * 257}).encode(), "invalid_event"),
    "lone surrogate": (b'{"type":"product_removed","product_id":"\\ud800"}', "not_json"),
    "not UTF-8": (b'{"type":"product_removed","product_id":"\xff"}', "not_json"),
    "100,000 levels": (_added(_nested(100_000)), "not_json"),
    "100,000 levels in an ignored field": (
        b'{"type":"product_removed","product_id":"p","x":' + _nested(100_000) + b"}",
        "not_json",
    ),
    "deeper than stores go": (_added(_nested(MAX_DEPTH + 2)), "invalid_event"),
    "NaN": (_added(b'{"price":NaN}'), "not_json"),
    "infinite": (_added(b'{"price":1e999}'), "invalid_event"),
    "price is text": (_added(b'{"price":"59.90"}'), "invalid_event"),
    "price is true": (_added(b'{"price":true}'), "invalid_event"),
    "negative price": (_added(b'{"price":-1}'), "invalid_event"),
    "title is a list": (_added(b'{"title":[]}'), "invalid_event"),
    "sales with a fraction": (_added(b'{"sales":1.5}'), "invalid_event"),
    "praise of 5": (_added(b'{"praise":5}'), "invalid_event"),
    "infinite vector": (_vector(b"[1e999,1]"), "invalid_event"),
    "vector of NaN": (_vector(b"[NaN,1]"), "not_json"),
    "vector of nothing": (_vector(b"[0,0,1e-400]"), "invalid_event"),
    "vector without a number": (_vector(b"[]"), "invalid_event"),
    "vector of 5,000 numbers": (_vector(b"[%s1]" % (b"1," * 4999)), "invalid_event"),
    "vector of texts": (_vector(b'["1","2"]'), "invalid_event"),
    "vector is a text": (_vector(b'"AAAA"'), "invalid_event"),
    "attribute of 30 digits": (_added(b'{"x":%d}' % 10**30), "invalid_event"),
    "inner attribute of 30 digits": (_added(b'{"x":[{"y":-%d}]}' % 10**30), "invalid_event"),
    "attribute of 5,000 digits": (_added(b'{"x":' + b"9" * 5000 + b"}"), "invalid_event"),
    "version beyond 64 bits": (b'{"type":"product_removed","product_id":"p","version":%d}' % 2**63, "invalid_event"),
    "image without url": (b'{"type":"product_added","product_id":"p","images":[{}]}', "invalid_event"),
    "image is text": (b'{"type":"product_added","product_id":"p","images":["u"]}', "invalid_event"),
    "501 images": (
        json.dumps({"type": "product_updated", "product_id": "p", "images_added": [{"url": "u"}] * 501}).encode(),
        "invalid_event",
    ),
    "image version of 30 digits": (
        b'{"type":"product_added","product_id":"p","images":[{"url":"u","version":%d}]}' % 10**30,
        "invalid_event",
    ),
    "heartbeat of no partition": (b'{"type":"heartbeat","partition":-1}', "invalid_event"),
    "forwarded with a sequence beyond 64 bits": (
        b'{"type":"forwarded","origin_partition":0,"origin_sequence":%d,"event":{}}' % 2**64,
        "invalid_event",
    ),
    "envelope without data": (b'{"specversion":"1.0"}', "cloudevent"),
    "envelope of null": (b'{"specversion":"1.0","data":null}', "cloudevent"),
    "envelope of version 0.3": (b'{"specversion":"0.3","data":{}}', "cloudevent"),
    "envelope not UTF-8": (
        b'{"specversion":"1.0","data":{"type":"product_removed","product_id":"\xff"}}',
        "cloudevent",
    ),
    "envelope of a heartbeat": (b'{"specversion":"1.0","data":{"type":"heartbeat","partition":0}}', "cloudevent"),
    "envelope, not base64": (b'{"specversion":"1.0","data_base64":"a"}', "cloudevent"),
    "envelope, base64 not ASCII": ('{"specversion":"1.0","data_base64":"é"}'.encode(), "cloudevent"),
    "envelope, base64 not UTF-8": (
        b'{"specversion":"1.0","data_base64":"%s"}'
        % base64.b64encode(b'{"type":"product_removed","product_id":"\xff"}'),
        "cloudevent",
    ),
    "envelope in an envelope": (
        b'{"specversion":"1.0","data":{"specversion":"1.0","data":{"type":"product_removed","product_id":"p"}}}',
        "cloudevent",
    ),
}


@pytest.mark.parametrize("name", POISON)
def test_poison_is_rejected_with_its_reason(name: str) -> None:
    value, reason = POISON[name]
    with pytest.raises(RejectedError) as rejection:
        decode_event(value)
    assert rejection.value.reason == reason
    assert rejection.value.detail


def _survives(value: bytes) -> None:
    """An accepted event can be stored and read back as it is; a rejected one has a known reason."""
    try:
        event = decode_event(value)
        if isinstance(event, Forwarded):
            event = decode_forwarded(event)
    except RejectedError as rejection:
        assert rejection.reason in REASONS
        return
    if not isinstance(event, ProductAdded | ProductUpdated | ProductRemoved):
        return
    product = None if isinstance(event, ProductRemoved) else event.product
    images = [] if not isinstance(event, ProductAdded) else event.images or []
    entries = [ImageEntry(image.url, image.version_text, 1, 1) for image in images]
    record = ProductRecord(event.product_id, 1, True, event.version, product or {}, entries)
    assert decode_record(encode_record(record)) == record
    json.loads(msgspec.json.encode(event))
    sent_on = forward(value, 2**31 - 1, 2**63 - 1)
    assert len(sent_on) <= len(value) + MAX_ENVELOPE_BYTES
    envelope = decode_event(sent_on)
    assert isinstance(envelope, Forwarded)
    assert decode_forwarded(envelope) == event
    assert forward(sent_on, 2**31 - 1, 2**63 - 1) == sent_on


@settings(deadline=None, max_examples=400)
@given(st.binary(max_size=200))
def test_any_bytes_are_an_event_or_rejected(value: bytes) -> None:
    _survives(value)


_SEEDS = [
    _added(b'{"title":"t","price":1.5,"sales":2,"x":[1,{"y":null}]}'),
    b'{"type":"product_updated","product_id":"p","images_added":[{"url":"u","version":"v"}],"images_removed":["w"]}',
    b'{"specversion":"1.0","type":"t","data":{"type":"product_removed","product_id":"p","version":7}}',
    b'{"specversion":"1.0","data_base64":"%s"}' % base64.b64encode(b'{"type":"product_removed","product_id":"p"}'),
    b'{"type":"forwarded","origin_partition":1,"origin_sequence":9,"event":{"type":"product_removed","product_id":"p"}}',
    b'{"type":"heartbeat","partition":3}',
]


@settings(deadline=None, max_examples=800)
@given(
    st.sampled_from(_SEEDS), st.lists(st.tuples(st.floats(0, 1), st.integers(0, 3), st.binary(max_size=4)), max_size=5)
)
def test_mutated_events_are_events_or_rejected(seed: bytes, edits: list[tuple[float, int, bytes]]) -> None:
    value = seed
    for place, dropped, inserted in edits:
        at = int(place * len(value))
        value = value[:at] + inserted + value[at + dropped :]
    _survives(value)


_any_json = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=True) | st.text(st.characters(), max_size=5),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=4), inner, max_size=3),
)


@settings(deadline=None, max_examples=400)
@given(
    st.sampled_from(["product_added", "product_updated"]),
    st.dictionaries(
        st.sampled_from(["version", "product", "images", "images_added", "images_removed", "specversion", "data"]),
        _any_json,
    ),
)
def test_any_fields_are_an_event_or_rejected(kind: str, fields: dict[str, object]) -> None:
    _survives(json.dumps({"type": kind, "product_id": "p", **fields}).encode())


def test_the_largest_event_is_still_read() -> None:
    padding = MAX_EVENT_BYTES - len(_added(b'{"x":""}'))
    value = _added(b'{"x":"%s"}' % (b"y" * padding))
    assert len(value) == MAX_EVENT_BYTES
    assert isinstance(decode_event(value), ProductAdded)
    with pytest.raises(RejectedError):
        decode_event(value + b" ")


def test_an_attribute_may_be_nested_to_the_limit() -> None:
    assert isinstance(decode_event(_added(_nested(MAX_DEPTH))), ProductAdded)
    with pytest.raises(RejectedError):
        decode_event(_added(_nested(MAX_DEPTH + 1)))


@pytest.mark.parametrize("missing", [0, 1, 5, 9, 10, 11, 200])
@pytest.mark.parametrize("filler", [b'"y"', b"1e15", b'"\\u0041"', b'"\\b"', b"[ ]"])
def test_event_of_nearly_the_largest_size_is_sent_on_however_it_is_written(filler: bytes, missing: int) -> None:
    """Written anew, these grow up to four times."""
    room = MAX_EVENT_BYTES - missing - len(_added(b'{"x":[]}'))
    value = _added(b'{"x":[%s]}' % b",".join([filler] * ((room + 1) // (len(filler) + 1))))
    value += b" " * (MAX_EVENT_BYTES - missing - len(value))
    assert len(value) == MAX_EVENT_BYTES - missing
    envelope = decode_event(forward(value, 2**31 - 1, 2**63 - 1))
    assert isinstance(envelope, Forwarded)
    assert decode_forwarded(envelope) == decode_event(value)


def test_room_for_the_envelope_is_no_room_for_a_larger_event() -> None:
    too_long = _added(b'{"x":"%s"}' % (b"y" * (MAX_EVENT_BYTES + 1 - len(_added(b'{"x":""}')))))
    assert len(too_long) == MAX_EVENT_BYTES + 1
    for value in (too_long, b"{" + b" " * MAX_EVENT_BYTES, forward(too_long, 0, 1)):
        with pytest.raises(RejectedError) as rejection:
            event = decode_event(value)
            assert isinstance(event, Forwarded)
            decode_forwarded(event)
        assert rejection.value.reason == "too_large"
