"""Values of columns as Kafka Connect writes them with a schema, made plain: decimals, dates, times, JSON, arrays.

The names are Debezium's and Kafka Connect's own
(https://debezium.io/documentation/reference/stable/connectors/postgresql.html, "Data type mappings").
"""

from __future__ import annotations

import base64
from collections.abc import Callable, Mapping
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from typing import Any

import msgspec

Convert = Callable[[Any], Any]

_EPOCH = datetime(1970, 1, 1)


class Field(msgspec.Struct, frozen=True):
    """One column's schema; of a whole event's, `fields` are `before`, `after`, `source`, ..."""

    type: str
    field: str = ""
    name: str | None = None
    parameters: dict[str, str] = {}
    items: Field | None = None
    fields: list[Field] = []


def converter(column: Field) -> Convert | None:
    """What makes a value of that column plain; None: it is. It raises `ValueError`, `TypeError` or `KeyError`.

    Raises `ValueError` for a schema that is none. Bytes come to nothing, as in every import.
    """
    if column.name == "org.apache.kafka.connect.data.Decimal":
        scale = int(column.parameters.get("scale", "0"))
        return lambda value: _decimal(value, scale)
    if (known := _BY_NAME.get(column.name or "")) is not None:
        return known
    if column.type == "array" and column.items is not None and (each := converter(column.items)) is not None:
        return lambda values: [None if value is None else each(value) for value in values]
    return _nothing if column.type == "bytes" else None


def _nothing(_value: Any) -> None:
    return None


def _decimal(value: str, scale: int) -> float:
    unscaled = int.from_bytes(base64.b64decode(value, validate=True), "big", signed=True)
    return float(Decimal(unscaled).scaleb(-scale))


def _variable_decimal(value: Mapping[str, Any]) -> float:
    return _decimal(value["value"], value["scale"])


def _since(**unit: int) -> Convert:
    """A time without a zone, counted since 1970 in that unit."""
    one = timedelta(**unit)
    return lambda count: (_EPOCH + count * one).isoformat()


def _date(days: int) -> str:
    return (date(1970, 1, 1) + timedelta(days=days)).isoformat()


def _of_day(**unit: int) -> Convert:
    one = timedelta(**unit)
    return lambda count: (_EPOCH + count * one).time().isoformat()


def _zoned(text: str) -> str:
    """In UTC, as the driver of an import has it."""
    return datetime.fromisoformat(text).astimezone(UTC).isoformat()


def _nanoseconds(count: int) -> str:
    return (_EPOCH + timedelta(microseconds=count // 1000)).isoformat()


_BY_NAME: dict[str, Convert] = {
    "io.debezium.data.VariableScaleDecimal": _variable_decimal,
    "io.debezium.data.Json": msgspec.json.decode,
    "io.debezium.time.Date": _date,
    "io.debezium.time.Timestamp": _since(milliseconds=1),
    "io.debezium.time.MicroTimestamp": _since(microseconds=1),
    "io.debezium.time.NanoTimestamp": _nanoseconds,
    "io.debezium.time.ZonedTimestamp": _zoned,
    "io.debezium.time.Time": _of_day(milliseconds=1),
    "io.debezium.time.MicroTime": _of_day(microseconds=1),
    "org.apache.kafka.connect.data.Date": _date,
    "org.apache.kafka.connect.data.Time": _of_day(milliseconds=1),
    "org.apache.kafka.connect.data.Timestamp": _since(milliseconds=1),
}
