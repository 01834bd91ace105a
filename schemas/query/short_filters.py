"""The short form of a filter, for URLs: brought into JSON's form, which `parse_filter` reads."""

from __future__ import annotations

import re
from typing import Any

import msgspec

from schemas.query.fields import Field, FieldKind, Fields, number_of
from schemas.query.filters import MAX_FILTER_BYTES, Filter, invalid_filter, parse_filter, unknown_field

_TERM = re.compile(r'\s*(-?)([^:;"\s]+):((?:"(?:[^"\\]|\\.)*"|[^";])*)(?:;|$)')
_VALUE = re.compile(r'"((?:[^"\\]|\\.)*)"|[^",+]+|[,+]')
_RANGE = re.compile(r"(.*?)\.\.(.*)", re.DOTALL)


def parse_short(text: str, fields: Fields) -> Filter:
    """A filter from its form in a URL, or from JSON where it begins with a brace.

    `category:shoes;brand:Strider,Acme;price:10..50;-labels:person+dog`: terms
    are divided by ";" and all hold, "-" before one is not, "," between values
    is or, "+" is and (lists), LOW..HIGH a range with either side open, and what
    holds one of these characters stands in quotes. Raises as `parse_filter` does.
    """
    if len(text) > MAX_FILTER_BYTES:
        raise invalid_filter("filter", f"{len(text)} characters; it may have {MAX_FILTER_BYTES}")
    if text.lstrip().startswith("{"):
        try:
            return parse_filter(msgspec.json.decode(text), fields)
        except (msgspec.DecodeError, RecursionError) as error:
            raise invalid_filter("filter", f"not JSON: {error}") from error
    parts: list[Any] = []
    place = 0
    while place < len(text.rstrip("; ")):
        term = _TERM.match(text, place)
        if term is None:
            raise invalid_filter("filter", f"no FIELD:VALUE at {text[place : place + 40]!r}; terms are divided by ';'")
        negated, name, values = term.groups()
        field = fields.get(name)
        if field is None:
            raise unknown_field(name, fields)
        condition = {name: _short_condition(field, values.strip())}
        parts.append({"not": condition} if negated else condition)
        place = term.end()
    return parse_filter({"all": parts}, fields) if len(parts) != 1 else parse_filter(parts[0], fields)


def _short_condition(field: Field, text: str) -> Any:
    if field.kind.numeric:
        ranged = _RANGE.fullmatch(text)
        if ranged is None:
            return _short_figure(field, text)
        low, high = (side.strip() for side in ranged.groups())
        bounds = {"gte": low, "lte": high}
        return {operator: _short_figure(field, side) for operator, side in bounds.items() if side}
    values: list[str] = []
    signs: set[str] = set()
    divided = True
    for found in _VALUE.finditer(text):
        if found.group() in ",+":
            signs.add(found.group())
            divided = True
            continue
        quoted = found.group(1)
        value = found.group().strip() if quoted is None else re.sub(r"\\(.)", r"\1", quoted)
        if not value and quoted is None:
            continue
        if not divided:
            raise invalid_filter(f"filter.{field.name}", f"{value[:40]!r} stands beside another value; put ',' between")
        values.append(value)
        divided = False
    if "+" in signs and field.kind is FieldKind.LIST:
        if "," in signs:
            raise invalid_filter(
                f"filter.{field.name}", "',' and '+' in one term; quote values, or write the filter as JSON"
            )
        return {"all": values}
    if "+" in signs:
        raise invalid_filter(
            f"filter.{field.name}", f"is a {field.kind} and has one value, '+' is for lists; quote the value"
        )
    return values


def _short_figure(field: Field, text: str) -> Any:
    """As JSON would have it: a number where it is one, else the text, which is refused or is a time."""
    if field.kind is FieldKind.TIME and number_of(_float(text)) is None:
        return text
    figure = _float(text)
    return text if figure is None else figure


def _float(text: str) -> float | None:
    try:
        return float(text)
    except ValueError:
        return None
