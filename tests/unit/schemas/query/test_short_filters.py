"""The form of a filter in a URL says what its JSON says."""

from __future__ import annotations

from typing import Any

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from schemas.errors import RejectedError
from schemas.query.fields import Fields
from schemas.query.filters import MAX_FILTER_BYTES, AnyOf, Below, parse_filter
from schemas.query.short_filters import parse_short

FIELDS = Fields.declared(["material:keyword"])


def quoted(text: str) -> str:
    return '"' + text.replace("\\", "\\\\").replace('"', '\\"') + '"'


TEXTS = st.text(min_size=1, max_size=12)
PLAIN = st.text(alphabet="abcXYZ019/.-_ä", min_size=1, max_size=8)
WRITTEN = TEXTS.map(lambda text: (text, quoted(text))) | PLAIN.map(lambda text: (text, text))
NUMBERS = st.floats(allow_nan=False, allow_infinity=False) | st.integers(-(10**6), 10**6)


@st.composite
def terms(draw: st.DrawFn) -> tuple[dict[str, Any], str]:
    """One term, as JSON and in short form."""
    kind = draw(st.sampled_from(["keywords", "all", "number", "range"]))
    if kind in ("keywords", "all"):
        name = draw(st.sampled_from(["size", "labels"] if kind == "all" else ["brand", "category", "size", "material"]))
        written = draw(st.lists(WRITTEN, min_size=1 if kind == "keywords" else 2, max_size=3))
        values = [text for text, _ in written]
        condition: Any = values if kind == "keywords" else {"all": values}
        text = ("," if kind == "keywords" else "+").join(short for _, short in written)
    else:
        name = draw(st.sampled_from(["price", "sales"]))
        low, high = draw(NUMBERS), draw(NUMBERS)
        if kind == "number":
            condition, text = low, repr(low)
        else:
            sides = draw(st.sampled_from([("gte", "lte"), ("gte",), ("lte",)]))
            condition = {side: {"gte": low, "lte": high}[side] for side in sides}
            text = f"{repr(low) if 'gte' in sides else ''}..{repr(high) if 'lte' in sides else ''}"
    if draw(st.booleans()):
        return {"not": {name: condition}}, f"-{name}:{text}"
    return {name: condition}, f"{name}:{text}"


@settings(deadline=None, max_examples=150)
@given(st.lists(terms(), min_size=1, max_size=4))
def test_short_form_and_json_are_one_filter(parts: list[tuple[dict[str, Any], str]]) -> None:
    wanted = {"all": [json for json, _ in parts]} if len(parts) > 1 else parts[0][0]
    text = ";".join(short for _, short in parts)
    assert parse_short(text, FIELDS) == parse_filter(wanted, FIELDS)
    assert parse_short(msgspec.json.encode(wanted).decode(), FIELDS) == parse_filter(wanted, FIELDS)


PIECES = st.sampled_from(
    ["brand", "price", "listed", ":", ";", ",", "+", "-", "..", '"', "\\", "{", "}", "1", " ", "a"]
)


@settings(deadline=None, max_examples=200)
@given(st.text(max_size=40) | st.lists(PIECES, max_size=20).map("".join))
def test_any_text_is_a_filter_or_rejected(text: str) -> None:
    try:
        parse_short(text, FIELDS)
    except RejectedError as error:
        assert error.reason == "invalid_filter"


def test_what_divides_terms_and_values_stands_in_quotes() -> None:
    assert parse_short('brand:"A, B; C+D: \\"E\\""', FIELDS) == AnyOf("brand", ('A, B; C+D: "E"',))
    assert parse_short(" category: shoes , boots ;", FIELDS) == Below("category", ("shoes", "boots"))


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("brand", "no FIELD:VALUE"), ("brand:", "empty list"), ("nix:1", "no field 'nix'"), ("price:cheap", "finite"),
        ("price:nan", "finite"), ("size:S+M,L", "in one term"), ("brand:a+b", "has one value"), ("{", "not JSON"),
        ("{]", "not JSON"), ('brand:"a', "no FIELD:VALUE"), ("price:..", "says nothing"),
        ("listed:2026-13-01..", "a date"), ("brand:" + "a" * MAX_FILTER_BYTES, "characters"),
        ('{"not":' * 3000 + "{}" + "}" * 3000, "not JSON"),
    ],
)  # fmt: skip
def test_what_is_refused_says_why(text: str, says: str) -> None:
    with pytest.raises(RejectedError, match=says) as refused:
        parse_short(text, FIELDS)
    assert refused.value.reason == "invalid_filter"
