"""Values as Kafka Connect writes them are what the database has; what is none of its schema is refused, not raised."""

from __future__ import annotations

import json
import random
from typing import Any

import pytest

from jobs.pipeline.changes.events import events_of
from schemas.database.envelope import ChangeDecoder
from schemas.database.mapping import read_mapping
from schemas.errors import RejectedError
from tests.support.database.catalogue import FORMS, MAPPING, recorded


def enveloped(column: dict[str, Any], value: Any) -> bytes:
    """A change of one column of that schema."""
    row = {"type": "struct", "field": "after", "fields": [{**column, "field": "c"}]}
    payload = {"op": "c", "source": {"table": "t"}, "after": {"c": value}}
    return json.dumps({"schema": {"type": "struct", "fields": [row]}, "payload": payload}).encode()


def logical(name: str, kind: str = "int64", **more: Any) -> dict[str, Any]:
    return {"type": kind, "name": name, **more}


CONNECT, TIME = "org.apache.kafka.connect.data", "io.debezium.time"
DECIMAL = logical(f"{CONNECT}.Decimal", "bytes", parameters={"scale": "2"})


@pytest.mark.parametrize(
    ("column", "value", "plain"),
    [
        (DECIMAL, "F2Y=", 59.9),
        (DECIMAL, "/w==", -0.01),
        (logical("io.debezium.data.VariableScaleDecimal", "struct"), {"scale": 3, "value": "BNI="}, 1.234),
        ({"type": "array", "items": DECIMAL}, ["F2Y=", None], [59.9, None]),
        (logical(f"{TIME}.Date", "int32"), 20513, "2026-03-01"),
        (logical(f"{CONNECT}.Date", "int32"), -1, "1969-12-31"),
        (logical(f"{TIME}.Timestamp"), 1_500, "1970-01-01T00:00:01.500000"),
        (logical(f"{TIME}.MicroTimestamp"), 1_500_000, "1970-01-01T00:00:01.500000"),
        (logical(f"{TIME}.NanoTimestamp"), 1_500_000_999, "1970-01-01T00:00:01.500000"),
        (logical(f"{TIME}.MicroTime"), 3_600_000_000, "01:00:00"),
        (
            logical(f"{TIME}.ZonedTimestamp", "string"),
            "2026-11-01T11:00:00.25+01:00",
            "2026-11-01T10:00:00.250000+00:00",
        ),
        (logical("io.debezium.data.Json", "string"), '{"a": [1]}', {"a": [1]}),
        (logical("io.debezium.data.Uuid", "string"), "c0ffee", "c0ffee"),
        ({"type": "bytes"}, "F2Y=", None),
        ({"type": "string"}, None, None),
        ({"type": "array", "items": {"type": "string"}}, ["a"], ["a"]),
    ],
)
def test_a_value_is_what_the_database_has(column: dict[str, Any], value: Any, plain: Any) -> None:
    change = ChangeDecoder().decode(enveloped(column, value))
    assert change is not None
    assert change.after == {"c": plain}


@pytest.mark.parametrize(
    ("column", "value"),
    [
        (DECIMAL, "not base64"), (DECIMAL, 5), (logical(f"{TIME}.Date"), 10**12), (logical(f"{TIME}.Timestamp"), "now"),
        (logical(f"{TIME}.ZonedTimestamp", "string"), "yesterday"), (logical("io.debezium.data.Json", "string"), "{"),
        (logical("io.debezium.data.VariableScaleDecimal", "struct"), {"scale": 3}),
        (logical(f"{CONNECT}.Decimal", "bytes", parameters={"scale": "two"}), "F2Y="),
    ],
)  # fmt: skip
def test_a_value_that_its_schema_does_not_allow_is_refused(column: dict[str, Any], value: Any) -> None:
    with pytest.raises(RejectedError) as refusal:
        ChangeDecoder().decode(enveloped(column, value))
    assert refusal.value.reason in ("value", "no_change_event")


@pytest.mark.parametrize("form", FORMS)
def test_no_bytes_raise_anything_but_a_refusal(form: str) -> None:
    mapping, decoder, chooser = read_mapping(MAPPING), ChangeDecoder(), random.Random(56)
    values = [record.value for record in recorded(form) if record.value is not None and len(record.value) < 10_000]
    pieces = [b"null", b"5", b'""', b"[]", b"{}", b"true", b"-1e400", b'"\\ud800"', b"\xff"]
    refused = 0
    for _ in range(3000):
        value = bytearray(chooser.choice(values))
        for _ in range(chooser.randint(1, 3)):
            begin = chooser.randrange(len(value))
            value[begin : begin + chooser.randint(0, 12)] = chooser.choice(pieces)
        try:
            change = decoder.decode(bytes(value))
            if change is not None:
                events_of(change, mapping)
        except RejectedError:
            refused += 1
    assert refused > 1000
