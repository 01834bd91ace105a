"""What an attribute's JSON means to a filter, and which declarations a setting may hold."""

from __future__ import annotations

import math
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from schemas.errors import OperatorError
from schemas.query.fields import (
    BUILT_IN,
    MAX_DECLARED,
    MAX_VALUE_BYTES,
    MAX_VALUES,
    Field,
    FieldKind,
    Fields,
    figure_of,
    number_of,
    seconds_of,
    text_of,
    texts_of,
    values_of,
)

SCALARS = st.none() | st.booleans() | st.integers(-(2**63), 2**64) | st.floats() | st.text(max_size=20)
ANY_JSON = st.recursive(
    SCALARS, lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=8), inner, max_size=4)
)


@pytest.mark.parametrize(
    ("value", "text"),
    [
        ("Strider", "Strider"), (42, "42"), (42.0, "42"), (-0.0, "0"), (0.5, "0.5"), (True, "true"), (False, "false"),
        ("", None), (None, None), ([], None), ({}, None), (math.nan, None), (math.inf, None),
        ("x" * MAX_VALUE_BYTES, "x" * MAX_VALUE_BYTES), ("x" * (MAX_VALUE_BYTES + 1), None), ("ä" * 257, None),
    ],
)  # fmt: skip
def test_a_keyword_is_read_as_json_writes_it(value: Any, text: str | None) -> None:
    assert text_of(value) == text


@pytest.mark.parametrize(
    ("value", "seconds"),
    [
        ("1970-01-02", 86_400.0), ("1970-01-01T01:00:00Z", 3600.0), ("1970-01-01T01:00:00+01:00", 0.0),
        ("1970-01-01T00:00:00.5", 0.5), (12, 12.0), (-1.5, -1.5), (True, None), ("yesterday", None), (None, None),
        (math.nan, None), ([1], None),
    ],
)  # fmt: skip
def test_a_time_is_a_date_a_moment_or_unix_seconds(value: Any, seconds: float | None) -> None:
    assert seconds_of(value) == seconds


def test_a_whole_number_beyond_float64_is_no_time() -> None:
    assert seconds_of(10**400) is None


@pytest.mark.parametrize(
    ("value", "number"),
    [(3, 3.0), (2.5, 2.5), (True, None), ("3", None), (10**400, None), (math.inf, None), (math.nan, None)],
)
def test_a_number_is_a_json_number_that_float64_holds(value: Any, number: float | None) -> None:
    assert number_of(value) == number


def test_a_list_has_each_keyword_once_and_no_more_than_are_read() -> None:
    sizes = Field("size", FieldKind.LIST)
    assert texts_of(sizes, ["M", 42, "M", None, {}, "L"]) == ("M", "42", "L")
    assert texts_of(sizes, "M") == ("M",)
    assert len(texts_of(sizes, [str(i) for i in range(2 * MAX_VALUES)])) == MAX_VALUES


def test_only_a_field_of_the_kind_list_has_the_keywords_of_a_list() -> None:
    assert texts_of(Field("brand", FieldKind.KEYWORD), ["Strider"]) == ()


def test_values_of_a_product_have_every_field() -> None:
    fields = Fields.declared(["material:keyword", "weight:number"])
    attributes = {"brand": "Strider", "size": ["M"], "listed": "1970-01-02", "weight": 3, "price": 99, "sales": 7}
    values = values_of(fields, attributes, 12.5, -1, math.nan)
    assert set(values) == set(fields.names())
    assert (values["brand"], values["size"], values["material"]) == (("Strider",), ("M",), ())
    assert (values["listed"], values["weight"]) == (86_400.0, 3.0)
    # A price in the attributes is not the product's price, which has a column of its own.
    assert values["price"] == 12.5
    assert math.isnan(float(values["sales"]))  # type: ignore[arg-type]
    assert math.isnan(float(values["praise"]))  # type: ignore[arg-type]


@settings(deadline=None)
@given(st.sampled_from(BUILT_IN), ANY_JSON)
def test_any_json_is_some_value_or_none(field: Field, value: Any) -> None:
    if field.kind.numeric:
        assert isinstance(figure_of(field, value), float)
        assert not math.isinf(figure_of(field, value))
    else:
        texts = texts_of(field, value)
        assert len(set(texts)) == len(texts)
        assert all(texts)


def test_declared_fields_stand_beside_the_built_in_ones() -> None:
    fields = Fields.declared(["material:keyword", " season :path", "ns.weight-1:number"])
    assert fields.get("material") == Field("material", FieldKind.KEYWORD)
    assert fields.get("season") == Field("season", FieldKind.PATH)
    assert fields.get("ns.weight-1") == Field("ns.weight-1", FieldKind.NUMBER)
    assert fields.get("brand") in BUILT_IN
    assert fields.names(FieldKind.PATH) == ["category", "season"]


@pytest.mark.parametrize(
    "text",
    ["material", "material:colour", ":keyword", "brand:keyword", "not:keyword", "any:list", "a b:list", "a:b:list"],
)
def test_a_declaration_that_cannot_be_is_refused_by_name(text: str) -> None:
    with pytest.raises(OperatorError, match="filter_attributes"):
        Fields.declared([text])


def test_a_field_is_declared_once_and_not_too_many_are() -> None:
    with pytest.raises(OperatorError, match="declared twice"):
        Fields.declared(["a:keyword", "a:list"])
    Fields.declared(f"a{i}:keyword" for i in range(MAX_DECLARED))
    with pytest.raises(OperatorError, match="65 fields"):
        Fields.declared(f"a{i}:keyword" for i in range(MAX_DECLARED + 1))
