"""A question's options as a URL writes them: the query parameters of every route that searches."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from schemas.query.body import MAX_FACETS, MAX_RANGES, QuestionBody, body_from, invalid
from schemas.query.fields import Fields
from schemas.query.filters import Filter
from schemas.query.short_filters import parse_short

PARAMETERS = (
    *("limit", "offset", "cursor", "generation", "q", "text", "match", "filter", "facets"),
    *("rank", "sort", "max_per", "mmr", "doubles", "min_score", "explain"),
)
"""`q` is short for `text`."""

_AS_THEY_ARE = frozenset(
    ("limit", "offset", "cursor", "generation", "text", "match", "rank", "sort", "doubles", "min_score", "explain")
)


def read_parameters(parameters: Sequence[tuple[str, str]], fields: Fields) -> tuple[QuestionBody, Filter | None]:
    """What the parameters ask. An empty value is as good as none, as browsers send empty inputs of a form.

    `facets` is `brand;price:20,50,100`, with `!` before a field that is to be counted without its own filter, `max_per`
    is `brand:2;colour:1`, `filter` the short form or JSON. Raises `RejectedError('invalid_question', ...)` or
    `('invalid_filter', ...)`.
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
        diversity["max_per"] = _max_per(given["max_per"])
    if "mmr" in given:
        diversity["mmr"] = given["mmr"]
    if diversity:
        values["diversity"] = diversity
    tree = parse_short(given["filter"], fields) if "filter" in given else None
    return body_from(values), tree


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


def _max_per(text: str) -> dict[str, str]:
    most: dict[str, str] = {}
    for term in text.split(";", 100):
        name, colon, number = term.rpartition(":")
        name = name.strip()
        if not colon or not name:
            raise invalid("max_per", f"no FIELD:NUMBER at {term[:40]!r}; brand:2;colour:1 is the form")
        if name in most:
            raise invalid("max_per", f"{name[:80]} is there twice; name each field once")
        most[name] = number.strip()
    return most
