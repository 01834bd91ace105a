"""Filters: which products a query may answer with.

A filter is a tree of conditions on fields. Clients write it as JSON
(`parse_filter`) or, in a URL, in a short form (`schemas.query.short_filters`); between
processes it travels as the tree itself (`encode_filter`, `decode_filter`).
The grammar is in docs/search.md.

A product without a value of a field fulfils no condition on it; so `not` of
such a condition holds for it.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from typing import Any

import msgspec

from schemas.errors import RejectedError
from schemas.query.fields import (
    MAX_VALUE_BYTES,
    WORDS_OF_FILTERS,
    Field,
    FieldKind,
    Fields,
    Values,
    number_of,
    seconds_of,
    text_of,
)

INVALID_FILTER = "invalid_filter"
MAX_FILTER_BYTES = 64 * 1024
MAX_CONDITIONS = 64
MAX_FILTER_VALUES = 1024
MAX_NESTING = 8
_MAX_DEPTH = 64
"""Of a tree, whose levels are more than those of the JSON: each of that makes up to four."""
_MAX_ENCODED_BYTES = 2 * MAX_FILTER_VALUES * MAX_VALUE_BYTES


class AnyOf(msgspec.Struct, frozen=True, tag="any_of"):
    """A field has one of these keywords."""

    field: str
    values: tuple[str, ...]


class Below(msgspec.Struct, frozen=True, tag="below"):
    """A path is one of these, or lies below one."""

    field: str
    values: tuple[str, ...]


class AllOf(msgspec.Struct, frozen=True, tag="all_of"):
    """A list has each of these keywords."""

    field: str
    values: tuple[str, ...]


class Between(msgspec.Struct, frozen=True, tag="between"):
    """A number from `low` to `high`, both included; infinite where that side is open."""

    field: str
    low: float
    high: float


class Known(msgspec.Struct, frozen=True, tag="known"):
    """The field has a value."""

    field: str


class And(msgspec.Struct, frozen=True, tag="and"):
    """All of them hold; of none: everything does."""

    parts: tuple[Filter, ...]


class Or(msgspec.Struct, frozen=True, tag="or"):
    """One of them holds, at least."""

    parts: tuple[Filter, ...]


class Not(msgspec.Struct, frozen=True, tag="not"):
    """It does not hold."""

    part: Filter


Condition = AnyOf | Below | AllOf | Between | Known
Filter = AnyOf | Below | AllOf | Between | Known | And | Or | Not

# Infinite numbers are not JSON's: the tree travels as MessagePack.
_encoder = msgspec.msgpack.Encoder()
_decoder = msgspec.msgpack.Decoder(Filter)


def encode_filter(tree: Filter | None) -> bytes:
    """For a searcher; b"" where there is none."""
    return b"" if tree is None else _encoder.encode(tree)


def decode_filter(data: bytes, fields: Fields) -> Filter | None:
    """What `encode_filter` made. Raises `RejectedError` for other bytes, and for fields that are not there."""
    if not data:
        return None
    if len(data) > _MAX_ENCODED_BYTES:
        raise invalid_filter("filter", f"{len(data)} bytes; it may have {_MAX_ENCODED_BYTES}")
    try:
        tree: Filter = _decoder.decode(data)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
        raise RejectedError(INVALID_FILTER, f"no filter of this version: {error}") from error
    _check_depth(tree)
    _check_size(tree)
    for condition in conditions(tree):
        if fields.get(condition.field) is None:
            raise unknown_field(condition.field, fields)
    return tree


def _check_depth(tree: Filter) -> None:
    level: list[Filter] = [tree]
    for _ in range(_MAX_DEPTH):
        parts = [each.parts if isinstance(each, And | Or) else (each.part,) for each in level
                 if isinstance(each, And | Or | Not)]  # fmt: skip
        level = [part for of_one in parts for part in of_one]
        if not level:
            return
    raise invalid_filter("filter", f"nested deeper than {MAX_NESTING} levels")


def conditions(tree: Filter) -> Iterator[Condition]:
    """All conditions in it, from left to right."""
    match tree:
        case And(parts) | Or(parts):
            for part in parts:
                yield from conditions(part)
        case Not(part):
            yield from conditions(part)
        case AnyOf() | Below() | AllOf() | Between() | Known():
            yield tree


def holds(tree: Filter, values: Values) -> bool:
    """Whether a product with these values passes."""
    match tree:
        case AnyOf(field, wanted):
            return not set(wanted).isdisjoint(_texts(values[field]))
        case Below(field, wanted):
            return any(is_at_or_below(path, one) for path in _texts(values[field]) for one in wanted)
        case AllOf(field, wanted):
            return set(wanted) <= set(_texts(values[field]))
        case Between(field, low, high):
            figure = values[field]
            return isinstance(figure, float) and low <= figure <= high
        case Known(field):
            figure = values[field]
            return not math.isnan(figure) if isinstance(figure, float) else bool(figure)
        case And(parts):
            return all(holds(part, values) for part in parts)
        case Or(parts):
            return any(holds(part, values) for part in parts)
        case Not(part):
            return not holds(part, values)


def is_at_or_below(path: str, wanted: str) -> bool:
    """shoes/running is below shoes, and so is shoes itself; shoestrings is not."""
    return path == wanted or path.startswith(wanted + "/")


def _texts(value: tuple[str, ...] | float) -> tuple[str, ...]:
    return value if isinstance(value, tuple) else ()


# -- JSON --------------------------------------------------------------------------------------

_RANGES = frozenset(("gte", "gt", "lte", "lt"))
_OPERATORS = {
    FieldKind.KEYWORD: ("is", "any", "exists"),
    FieldKind.PATH: ("is", "any", "exists"),
    FieldKind.LIST: ("is", "any", "all", "exists"),
    FieldKind.NUMBER: ("is", "gte", "gt", "lte", "lt", "exists"),
    FieldKind.TIME: ("is", "gte", "gt", "lte", "lt", "exists"),
}


def parse_filter(value: Any, fields: Fields) -> Filter:
    """A filter from JSON, as decoded. Raises `RejectedError('invalid_filter', ...)`: where, and what there is."""
    tree = _Parser(fields).filter(value, "filter", 0)
    _check_size(tree)
    return tree


def _check_size(tree: Filter) -> None:
    count = 0
    for number, condition in enumerate(conditions(tree), start=1):
        count += len(condition.values) if isinstance(condition, AnyOf | Below | AllOf) else 1
        if number > MAX_CONDITIONS:
            raise invalid_filter("filter", f"more than {MAX_CONDITIONS} conditions; ask several questions instead")
        if count > MAX_FILTER_VALUES:
            raise invalid_filter("filter", f"more than {MAX_FILTER_VALUES} values; filter by a field that groups them")


class _Parser:
    """Walks the JSON; `where` is the way to the value, for the error."""

    def __init__(self, fields: Fields) -> None:
        self._fields = fields

    def filter(self, value: Any, where: str, depth: int) -> Filter:
        if not isinstance(value, dict):
            raise invalid_filter(where, f'an object such as {{"brand": "Strider"}} is wanted, found {_kind(value)}')
        if depth > MAX_NESTING:
            raise invalid_filter(where, f"nested deeper than {MAX_NESTING} levels")
        parts = [self._entry(name, inner, f"{where}.{name[:80]}", depth) for name, inner in value.items()]
        return parts[0] if len(parts) == 1 else And(tuple(parts))

    def _entry(self, name: str, value: Any, where: str, depth: int) -> Filter:
        if name == "not":
            return Not(self.filter(value, where, depth + 1))
        if name in WORDS_OF_FILTERS:
            if not isinstance(value, list) or (name == "any" and not value):
                raise invalid_filter(where, f"a list of filters is wanted, found {_kind(value)}")
            parts = tuple(self.filter(each, f"{where}[{i}]", depth + 1) for i, each in enumerate(value))
            return And(parts) if name == "all" else Or(parts)
        field = self._fields.get(name)
        if field is None:
            raise unknown_field(name, self._fields)
        if isinstance(value, dict):
            return self._operators(field, value, where)
        if field.kind.numeric:
            return _exactly(field, value, where)
        return _one_of(field, value if isinstance(value, list) else [value], where)

    def _operators(self, field: Field, value: dict[str, Any], where: str) -> Filter:
        allowed = _OPERATORS[field.kind]
        for operator in value:
            if operator not in allowed:
                raise invalid_filter(
                    where, f"{field.name} is a {field.kind}: {', '.join(allowed)}; not {operator[:80]!r}"
                )
        if not value:
            raise invalid_filter(where, f"says nothing; {field.name} is a {field.kind}: {', '.join(allowed)}")
        parts: list[Filter] = []
        if _RANGES & value.keys():
            parts.append(_range(field, value, where))
        for operator, wanted in value.items():
            inner = f"{where}.{operator}"
            if operator == "is":
                parts.append(_exactly(field, wanted, inner) if field.kind.numeric else _one_of(field, [wanted], inner))
            elif operator == "any":
                parts.append(_one_of(field, _listed(wanted, inner), inner))
            elif operator == "all":
                parts.append(AllOf(field.name, _keywords(field, _listed(wanted, inner), inner)))
            elif operator == "exists":
                if not isinstance(wanted, bool):
                    raise invalid_filter(inner, f"true or false is wanted, found {_kind(wanted)}")
                parts.append(Known(field.name) if wanted else Not(Known(field.name)))
        return parts[0] if len(parts) == 1 else And(tuple(parts))


def _listed(value: Any, where: str) -> list[Any]:
    if not isinstance(value, list):
        raise invalid_filter(where, f"a list is wanted, found {_kind(value)}")
    return value


def _one_of(field: Field, values: list[Any], where: str) -> Filter:
    wanted = _keywords(field, values, where)
    if field.kind is FieldKind.PATH:
        return Below(field.name, tuple(each.rstrip("/") or each for each in wanted))
    return AnyOf(field.name, wanted)


def _keywords(field: Field, values: list[Any], where: str) -> tuple[str, ...]:
    if not values:
        raise invalid_filter(where, "an empty list, which nothing matches; leave the condition out")
    texts = []
    for each in values:
        text = text_of(each)
        if text is None:
            raise invalid_filter(where, f"{field.name} is a {field.kind} of up to 512 bytes, found {_kind(each)}")
        texts.append(text)
    return tuple(dict.fromkeys(texts))


def _exactly(field: Field, value: Any, where: str) -> Between:
    figure = _figure(field, value, where)
    return Between(field.name, figure, figure)


def _range(field: Field, value: dict[str, Any], where: str) -> Between:
    low, high = -math.inf, math.inf
    if "gte" in value:
        low = _figure(field, value["gte"], f"{where}.gte")
    if "gt" in value:
        low = max(low, math.nextafter(_figure(field, value["gt"], f"{where}.gt"), math.inf))
    if "lte" in value:
        high = _figure(field, value["lte"], f"{where}.lte")
    if "lt" in value:
        high = min(high, math.nextafter(_figure(field, value["lt"], f"{where}.lt"), -math.inf))
    return Between(field.name, low, high)


def _figure(field: Field, value: Any, where: str) -> float:
    figure = seconds_of(value) if field.kind is FieldKind.TIME else number_of(value)
    if figure is None:
        wanted = "a date, a time (RFC 3339) or Unix seconds" if field.kind is FieldKind.TIME else "a finite number"
        raise invalid_filter(where, f"{field.name} is a {field.kind}: {wanted} is wanted, found {_kind(value)}")
    return figure


# -- errors ------------------------------------------------------------------------------------


def _kind(value: Any) -> str:
    if isinstance(value, str):
        return f"the text {value[:40]!r}"
    if isinstance(value, bool | int | float):
        return repr(value)
    return {list: "a list", dict: "an object", type(None): "null"}.get(type(value), type(value).__name__)


def invalid_filter(where: str, problem: str) -> RejectedError:
    """What is wrong at one place of a filter, and what is wanted there."""
    return RejectedError(INVALID_FILTER, f"{where}: {problem}")


def unknown_field(name: str, fields: Fields) -> RejectedError:
    """There is no such field; names those that there are."""
    there = ", ".join(f"{field.name} ({field.kind})" for field in fields)
    return invalid_filter(
        "filter", f"there is no field {name[:80]!r}; there are {there}; the setting filter_attributes declares others"
    )
