"""Fields: what of a product's attributes can be filtered, counted and ranked by, and how a value is read.

The one place that says what an attribute's JSON means to a filter; columns of
a shard and the check of a single product both ask here.
"""

from __future__ import annotations

import math
import re
from collections.abc import Iterable, Iterator, Mapping
from datetime import UTC, datetime
from enum import StrEnum
from typing import Any

import msgspec

from schemas.errors import OperatorError

MAX_VALUES = 256
"""Values of one field that a product is found by; further ones are not read."""
MAX_VALUE_BYTES = 512
"""A longer text is no value that anybody filters by, and is not read."""
MAX_DECLARED = 64
"""Fields that the setting `filter_attributes` may declare."""


class FieldKind(StrEnum):
    """How a field's value is read from JSON.

    keyword: a text (numbers and booleans as JSON writes them). path: a keyword
    whose parts are divided by "/"; a filter takes what lies below as well.
    list: any number of keywords, or one. number: a JSON number. time: a date or
    a date and time (RFC 3339), or Unix seconds; compared as seconds.
    """

    KEYWORD = "keyword"
    PATH = "path"
    LIST = "list"
    NUMBER = "number"
    TIME = "time"

    @property
    def numeric(self) -> bool:
        """Its values are numbers, compared by size; else texts, compared as they are."""
        return self in (FieldKind.NUMBER, FieldKind.TIME)


class Field(msgspec.Struct, frozen=True):
    """One field by its attribute's name."""

    name: str
    kind: FieldKind


BUILT_IN = (
    Field("category", FieldKind.PATH),
    Field("brand", FieldKind.KEYWORD),
    Field("colour", FieldKind.KEYWORD),
    Field("size", FieldKind.LIST),
    Field("type", FieldKind.KEYWORD),
    Field("licence", FieldKind.KEYWORD),
    Field("labels", FieldKind.LIST),
    Field("colours", FieldKind.LIST),
    Field("objects", FieldKind.LIST),
    Field("price", FieldKind.NUMBER),
    Field("sales", FieldKind.NUMBER),
    Field("praise", FieldKind.NUMBER),
    Field("listed", FieldKind.TIME),
)
"""Fields that every index has."""

COLOUR, COLOURS = "colour", "colours"
"""Fields that a picture fills where the shop says nothing of them: the colour that it is of, and those that it shows.

`colours` may be declared as well, as any kind: a list is filled all the same, another kind is the shop's alone.
"""
OBJECTS = "objects"
"""The same of what a picture shows beside, where objects are told (`picture_objects`); it may be declared as well."""

MEASURES = ("price", "sales", "praise")
"""Fields that a delta carries as columns of their own, not among the attributes."""

_NAME = re.compile(r"\w[\w.\-]{0,63}")
WORDS_OF_FILTERS = frozenset(("all", "any", "not"))
"""What a filter's grammar means by itself; no field can have such a name."""


class Fields:
    """The fields of an index, by name: the built-in ones and those declared. Immutable."""

    def __init__(self, declared: Iterable[Field] = ()) -> None:
        self._fields = {field.name: field for field in (*BUILT_IN, *declared)}

    @classmethod
    def declared(cls, texts: Iterable[str]) -> Fields:
        """From the setting: "material:keyword", ... Raises `OperatorError` for what is no declaration."""
        fields: dict[str, Field] = {}
        built_in = {field.name for field in BUILT_IN} - {COLOURS, OBJECTS}
        for text in texts:
            name, _, kind = text.rpartition(":")
            name = name.strip()
            if not name or kind not in list(FieldKind):
                kinds = ", ".join(FieldKind)
                raise OperatorError(f"filter_attributes: {text!r} is no NAME:KIND with a kind of {kinds}")
            if not _NAME.fullmatch(name):
                raise OperatorError(
                    f"filter_attributes: the name {name!r} has more than letters, digits and _ . - (64 at most, "
                    "a letter or digit first); rename the attribute"
                )
            if name in WORDS_OF_FILTERS or name in built_in or name in fields:
                problem = "is taken" if name not in fields else "is declared twice"
                raise OperatorError(f"filter_attributes: the name {name!r} {problem}; leave it out or rename it")
            fields[name] = Field(name, FieldKind(kind))
        if len(fields) > MAX_DECLARED:
            raise OperatorError(f"filter_attributes: {len(fields)} fields; an index may have {MAX_DECLARED} of its own")
        return cls(fields.values())

    def __iter__(self) -> Iterator[Field]:
        return iter(self._fields.values())

    def get(self, name: str) -> Field | None:
        """The field of that name, if there is one."""
        return self._fields.get(name)

    def names(self, *kinds: FieldKind) -> list[str]:
        """All names, or those of these kinds."""
        return [field.name for field in self if not kinds or field.kind in kinds]


def text_of(value: Any) -> str | None:
    """A keyword as JSON gives it, None for what is none: 42, 42.0 and "42" are one keyword."""
    if isinstance(value, str):
        text = value
    elif isinstance(value, bool):
        text = "true" if value else "false"
    elif isinstance(value, int):
        text = str(value)
    elif isinstance(value, float) and math.isfinite(value):
        text = str(int(value)) if value.is_integer() and abs(value) < 2**53 else repr(value)
    else:
        return None
    return text if text and len(text.encode(errors="replace")) <= MAX_VALUE_BYTES else None


def seconds_of(value: Any) -> float | None:
    """A time as Unix seconds, None for what is none; a date is its beginning, without a zone it is UTC."""
    if not isinstance(value, str):
        return number_of(value)
    try:
        moment = datetime.fromisoformat(value)
        return (moment if moment.tzinfo else moment.replace(tzinfo=UTC)).timestamp()
    except (ValueError, OverflowError):
        return None


def number_of(value: Any) -> float | None:
    """A JSON number, None for anything else, and for what no float64 holds."""
    if isinstance(value, bool) or not isinstance(value, int | float):
        return None
    try:
        number = float(value)
    except OverflowError:
        return None
    return number if math.isfinite(number) else None


def texts_of(field: Field, value: Any) -> tuple[str, ...]:
    """The keywords of a field that is not numeric, each once; () where it has none."""
    if field.kind is FieldKind.LIST and isinstance(value, list):
        texts = dict.fromkeys(text for each in value[: 4 * MAX_VALUES] if (text := text_of(each)) is not None)
        return tuple(texts)[:MAX_VALUES]
    text = text_of(value)
    return () if text is None else (text,)


def figure_of(field: Field, value: Any) -> float:
    """The number of a numeric field; NaN where it has none."""
    number = seconds_of(value) if field.kind is FieldKind.TIME else number_of(value)
    return math.nan if number is None else number


Values = Mapping[str, tuple[str, ...] | float]
"""Of one product, by field: keywords, or a number (NaN: none)."""


def values_of(fields: Fields, attributes: Mapping[str, Any], price: float, sales: int, praise: float) -> Values:
    """What a product is filtered by. Unknown numbers as in `schemas.found.Hit`: NaN, and -1 for sales."""
    values: dict[str, tuple[str, ...] | float] = {}
    for field in fields:
        raw = attributes.get(field.name)
        values[field.name] = figure_of(field, raw) if field.kind.numeric else texts_of(field, raw)
    values["price"], values["praise"] = price, praise
    values["sales"] = float(sales) if sales >= 0 else math.nan
    return values
