"""Debezium's change events: JSON as Kafka Connect's JsonConverter writes it, with its schema or without.

With a schema, decimals, dates, times and JSON are what the database has;
without one they are as Debezium writes them, since nothing tells them from
other text and numbers.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import msgspec

from schemas.database.logical import Convert, Field, converter
from schemas.database.rows import UNAVAILABLE
from schemas.errors import RejectedError

PLACEHOLDER = "__debezium_unavailable_value"
"""What Debezium writes for a long value that a change did not touch (its `unavailable.value.placeholder`)."""
_REMEMBERED = 64


@dataclass(frozen=True, slots=True)
class Change:
    """`operation`: c(reated), u(pdated), d(eleted), r(ead by a snapshot), t(runcated), m(essage).

    `schema`: of the table, "" where the database has none. `at_us`: when the
    database took the change, microseconds since 1970; for r when it was read.
    What the database did not send of `before` is None there or, of a column
    that must not be empty, "", 0 or the like.
    """

    operation: str
    schema: str
    table: str
    before: dict[str, Any] | None
    after: dict[str, Any] | None
    at_us: int | None

    def is_of(self, table: str) -> bool:
        """Whether the mapping's `table` or `schema.table` is the one that changed."""
        schema, _, name = table.rpartition(".")
        return name == self.table and schema in ("", self.schema)


class _Source(msgspec.Struct):
    table: str = ""
    schema: str | None = None
    db: str | None = None
    ts_ms: int | None = None
    ts_us: int | None = None


class _Payload(msgspec.Struct):
    op: str
    source: _Source
    before: dict[str, Any] | None = None
    after: dict[str, Any] | None = None


class _Wrapped(msgspec.Struct):
    payload: _Payload | None
    schema: msgspec.Raw = msgspec.Raw()


_UNREADABLE = (msgspec.MsgspecError, RecursionError, UnicodeDecodeError)

_decode_wrapped = msgspec.json.Decoder(_Wrapped).decode
_decode_payload = msgspec.json.Decoder(_Payload).decode
_decode_schema = msgspec.json.Decoder(Field | None).decode


class ChangeDecoder:
    """Bytes of one record to a change. Remembers the schemas that it has met. One thread."""

    def __init__(self) -> None:
        self._converters: dict[bytes, dict[str, Convert]] = {}

    def decode(self, value: bytes | None) -> Change | None:
        """None: a tombstone, which says that the key's record before was a deletion.

        Raises `RejectedError` with reason `not_json`, `no_change_event` or `value`.
        """
        if not value:
            return None
        payload, schema = _opened(value)
        if payload is None:
            return None
        convert = self._of_schema(schema)
        source = payload.source
        return Change(
            operation=payload.op,
            schema=source.schema or source.db or "",
            table=source.table,
            before=_plain(payload.before, convert),
            after=_plain(payload.after, convert),
            at_us=source.ts_us if source.ts_us is not None or source.ts_ms is None else source.ts_ms * 1000,
        )

    def _of_schema(self, schema: bytes) -> dict[str, Convert]:
        """By column, for those whose values are not plain."""
        if not schema:
            return {}
        if (known := self._converters.get(schema)) is not None:
            return known
        try:
            event = _decode_schema(schema)
            rows = [] if event is None else [row for row in event.fields if row.field in ("before", "after")]
            found = {column.field: convert for row in rows for column in row.fields if (convert := converter(column))}
        except (*_UNREADABLE, ValueError) as error:
            raise RejectedError("no_change_event", f"the record's schema is none of Kafka Connect: {error}") from error
        if len(self._converters) >= _REMEMBERED:
            self._converters.clear()
        self._converters[schema] = found
        return found


def _opened(value: bytes) -> tuple[_Payload | None, bytes]:
    """The change, and its schema ("" without)."""
    try:
        return _decode_payload(value), b""
    except msgspec.ValidationError as error:
        problem = error
    except _UNREADABLE as error:
        raise RejectedError("not_json", f"a change event is JSON (Kafka Connect's JsonConverter): {error}") from error
    try:
        wrapped = _decode_wrapped(value)
    except _UNREADABLE as error:
        shown = error if b'"payload"' in value else problem
        raise RejectedError(
            "no_change_event",
            f"no change event of Debezium: {shown}; leave out transformations that take its envelope away",
        ) from error
    return wrapped.payload, bytes(wrapped.schema)


def _plain(row: dict[str, Any] | None, convert: dict[str, Convert]) -> dict[str, Any] | None:
    if row is None:
        return None
    found: dict[str, Any] = {}
    for name, value in row.items():
        if value in (PLACEHOLDER, [PLACEHOLDER]):
            found[name] = UNAVAILABLE
        elif value is None or name not in convert:
            found[name] = value
        else:
            try:
                found[name] = convert[name](value)
            except (ValueError, TypeError, KeyError, OverflowError, ArithmeticError) as error:
                raise RejectedError("value", f"{name} is not what its schema says: {error}") from error
    return found
