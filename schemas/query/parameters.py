"""A question's options as a URL writes them: the query parameters of every route that searches."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from schemas.query.body import MAX_FACETS, MAX_RANGES, QuestionBody, body_from, invalid
from schemas.query.box import Box, checked_box
from schemas.query.fields import Fields
from schemas.query.filters import Filter
from schemas.query.short_filters import parse_short

PARAMETERS = (
    *("limit", "offset", "cursor", "generation", "q", "text", "match", "filter", "facets"),
    *("rank", "sort", "max_per", "mmr", "doubles", "min_score", "look", "explain"),
)
"""`q` is short for `text`."""
PHOTO_PARAMETERS = ("box", "items")
"""Of the routes that take photos beside the URL; `items` is an option of the question, `box` of its only photo."""

_AS_THEY_ARE = frozenset(
    ("limit", "offset", "cursor", "generation", "text", "match", "rank", "sort", "doubles", "min_score", "explain")
)


def read_parameters(parameters: Sequence[tuple[str, str]], fields: Fields) -> tuple[QuestionBody, Filter | None]:
    """What the parameters ask. An empty value is as good as none, as browsers send empty inputs of a form.

    `facets` is `brand;price:20,50,100`, with `!` before a field that is to be counted without its own filter, `max_per`
    is `brand:2;colour:1`, `look` `shape:0.5;colour:2`, `filter` the short form or JSON. Raises
    `RejectedError('invalid_question', ...)` or `('invalid_filter', ...)`.
    """
    given: dict[str, str] = {}
    for name, value in parameters:
        if name not in PARAMETERS:
            raise invalid(name[:80] or "a parameter", f"there is no such parameter; there are {', '.join(PARAMETERS)}")
        if not _is_unicode(value):
            raise invalid(name, "holds half a character (a lone surrogate); encode the URL as UTF-8")
        known = "text" if name == "q" else name
        if known in given:
            raise invalid(name, "is there twice (q is short for text); send it once")
        given[known] = value
    given = {name: value for name, value in given.items() if value.strip()}
    values: dict[str, Any] = {name: value for name, value in given.items() if name in _AS_THEY_ARE}
    if "facets" in given:
        values["facets"] = _facets(given["facets"])
    diversity: dict[str, Any] = {}
    if "max_per" in given:
        diversity["max_per"] = _numbers("max_per", given["max_per"], "brand:2;colour:1")
    if "mmr" in given:
        diversity["mmr"] = given["mmr"]
    if "look" in given:
        values["look"] = _numbers("look", given["look"], "shape:0.5;colour:2")
    if diversity:
        values["diversity"] = diversity
    tree = parse_short(given["filter"], fields) if "filter" in given else None
    return body_from(values), tree


def box_of(numbers: Sequence[float], where: str) -> Box:
    """The box. Raises `RejectedError('invalid_question', ...)`, which names `where` it stands."""
    try:
        return checked_box(numbers)
    except ValueError as error:
        raise invalid(where, f"{error}; [x0, y0, x1, y1] are parts of the photo's width and height") from error


def read_photo_parameters(
    parameters: Sequence[tuple[str, str]],
) -> tuple[list[tuple[str, str]], Box | None, bool]:
    """(the other parameters, `box`, `items`): `box=0.1,0.2,0.5,0.9`. Raises `RejectedError` as `read_parameters`."""
    given: dict[str, str] = {}
    for name, value in parameters:
        if name in PHOTO_PARAMETERS:
            if name in given:
                raise invalid(name, "is there twice; send it once")
            given[name] = value.strip()
    items = given.get("items") or "false"
    if items not in ("true", "false"):
        raise invalid("items", f"true or false is wanted, found {items[:80]!r}")
    others = [(name, value) for name, value in parameters if name not in PHOTO_PARAMETERS]
    return others, _box(given["box"]) if given.get("box") else None, items == "true"


def _box(text: str) -> Box:
    try:
        numbers = [float(each) for each in text.split(",", 4)]
    except ValueError as error:
        raise invalid("box", f"no four numbers at {text[:80]!r}; box=0.1,0.2,0.5,0.9 is the form") from error
    return box_of(numbers, "box")


def _is_unicode(text: str) -> bool:
    try:
        text.encode()
    except UnicodeEncodeError:
        return False
    return True


def _facets(text: str) -> list[dict[str, Any]]:
    facets = []
    for term in text.split(";", MAX_FACETS + 1):
        wanted = term.strip()
        if not wanted:
            continue
        name, _, ranges = wanted.removeprefix("!").partition(":")
        bounds = [_bound(each.strip()) for each in ranges.split(",", MAX_RANGES + 1)] if ranges else []
        facets.append({"field": name.strip(), "ranges": bounds, "exclude_own": wanted.startswith("!")})
    return facets


def _bound(text: str) -> float | str:
    """A number, or a time's text, which the question's check reads."""
    try:
        return float(text)
    except ValueError:
        return text


def _numbers(parameter: str, text: str, form: str) -> dict[str, str]:
    """NAME:NUMBER;NAME:NUMBER; that a number is one is checked with the body."""
    most: dict[str, str] = {}
    for term in text.split(";", 100):
        name, colon, number = term.rpartition(":")
        name = name.strip()
        if not colon or not name:
            raise invalid(parameter, f"no NAME:NUMBER at {term[:40]!r}; {form} is the form")
        if name in most:
            raise invalid("max_per", f"{name[:80]} is there twice; name each field once")
        most[name] = number.strip()
    return most
