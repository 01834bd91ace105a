"""Filters from JSON: what they mean, by an oracle that reads the JSON itself, and what is refused."""

from __future__ import annotations

import math
from typing import Any

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from schemas.errors import RejectedError
from schemas.query.fields import Fields, values_of
from schemas.query.filters import (
    MAX_CONDITIONS,
    MAX_FILTER_VALUES,
    MAX_NESTING,
    AllOf,
    And,
    AnyOf,
    Below,
    Between,
    Known,
    Not,
    decode_filter,
    encode_filter,
    holds,
    parse_filter,
)

FIELDS = Fields.declared(["material:keyword", "weight:number"])

BRANDS = ["Acme", "Strider", "42"]
PATHS = ["shoes", "shoes/running", "shoes/running/trail", "shoestrings"]
SIZES = ["S", "M", "L"]
NUMBERS = [-1, 0, 0.5, 10, 50]

PRODUCTS = st.fixed_dictionaries(
    {},
    optional={
        "brand": st.sampled_from(BRANDS),
        "category": st.sampled_from(PATHS),
        "size": st.lists(st.sampled_from(SIZES), max_size=3),
        "weight": st.sampled_from(NUMBERS),
    },
)
KEYWORD_CONDITIONS = st.sampled_from(BRANDS) | st.lists(st.sampled_from(BRANDS), min_size=1, max_size=2)
CONDITIONS = (
    st.fixed_dictionaries({"brand": KEYWORD_CONDITIONS | st.fixed_dictionaries({"exists": st.booleans()})})
    | st.fixed_dictionaries({"category": st.sampled_from(PATHS)})
    | st.fixed_dictionaries({"category": st.fixed_dictionaries({"any": st.lists(st.sampled_from(PATHS), min_size=1)})})
    | st.fixed_dictionaries({"size": st.fixed_dictionaries({"all": st.lists(st.sampled_from(SIZES), min_size=1)})})
    | st.fixed_dictionaries({"size": st.sampled_from(SIZES)})
    | st.fixed_dictionaries({"weight": st.sampled_from(NUMBERS)})
    | st.fixed_dictionaries(
        {"weight": st.dictionaries(st.sampled_from(["gte", "gt", "lte", "lt"]), st.sampled_from(NUMBERS), min_size=1)}
    )
)
FILTERS = st.recursive(
    CONDITIONS,
    lambda inner: (
        st.fixed_dictionaries({"all": st.lists(inner, max_size=3)})
        | st.fixed_dictionaries({"any": st.lists(inner, min_size=1, max_size=3)})
        | st.fixed_dictionaries({"not": inner})
        | st.tuples(CONDITIONS, inner).map(lambda both: {**both[0], **both[1]})
    ),
    max_leaves=6,
)


def oracle(wanted: dict[str, Any], product: dict[str, Any]) -> bool:
    """The grammar of docs/search.md, read off the JSON, without trees or kinds."""
    for name, value in wanted.items():
        if name == "all":
            passes = all(oracle(each, product) for each in value)
        elif name == "any":
            passes = any(oracle(each, product) for each in value)
        elif name == "not":
            passes = not oracle(value, product)
        else:
            passes = condition(name, value, product.get(name))
        if not passes:
            return False
    return True


def condition(name: str, value: Any, has: Any) -> bool:
    if isinstance(value, dict):
        return all(operator_holds(name, operator, operand, has) for operator, operand in value.items())
    return operator_holds(name, "any", value if isinstance(value, list) else [value], has)


def operator_holds(name: str, operator: str, operand: Any, has: Any) -> bool:
    known = has not in (None, [])
    if operator == "exists":
        return known is operand
    if not known:
        return False
    match operator:
        case "gte":
            return bool(has >= operand)
        case "gt":
            return bool(has > operand)
        case "lte":
            return bool(has <= operand)
        case "lt":
            return bool(has < operand)
        case "all":
            return all(each in has for each in operand)
    if name == "category":
        return any(f"{has}/".startswith(f"{each}/") for each in operand)
    return any(each in has if isinstance(has, list) else each == has for each in operand)


@settings(deadline=None, max_examples=200)
@given(FILTERS, PRODUCTS)
def test_a_filter_holds_for_what_its_json_says(wanted: dict[str, Any], product: dict[str, Any]) -> None:
    values = values_of(FIELDS, product, math.nan, -1, math.nan)
    assert holds(parse_filter(wanted, FIELDS), values) is oracle(wanted, product)


@settings(deadline=None)
@given(FILTERS)
def test_a_filter_travels_as_it_is(wanted: dict[str, Any]) -> None:
    tree = parse_filter(wanted, FIELDS)
    assert decode_filter(encode_filter(tree), FIELDS) == tree


def test_no_filter_travels_as_nothing() -> None:
    assert encode_filter(None) == b""
    assert decode_filter(b"", FIELDS) is None


NAMES = st.sampled_from([*FIELDS.names(), "all", "any", "not", "is", "exists", "gte", "lt"]) | st.text(max_size=5)
SCALARS = st.none() | st.booleans() | st.integers(-(2**63), 2**64) | st.floats() | st.text(max_size=10)
ANY_JSON = st.recursive(
    SCALARS, lambda inner: st.lists(inner, max_size=3) | st.dictionaries(NAMES, inner, max_size=3), max_leaves=12
)


@settings(deadline=None, max_examples=200)
@given(ANY_JSON)
def test_any_json_is_a_filter_or_rejected(value: Any) -> None:
    try:
        tree = parse_filter(value, FIELDS)
    except RejectedError as error:
        assert error.reason == "invalid_filter"
    else:
        assert holds(tree, values_of(FIELDS, {}, 1.0, 1, 1.0)) in (True, False)


@settings(deadline=None)
@given(st.binary(max_size=60))
def test_any_bytes_are_a_filter_or_rejected(data: bytes) -> None:
    try:
        decode_filter(data, FIELDS)
    except RejectedError as error:
        assert error.reason == "invalid_filter"


def test_a_whole_number_beyond_float64_is_rejected_as_a_time() -> None:
    with pytest.raises(RejectedError, match="time"):
        parse_filter({"listed": 10**400}, FIELDS)


def test_all_of_a_list_is_more_than_one_of_it() -> None:
    tree = parse_filter({"size": {"all": ["S", "M"]}}, FIELDS)
    for sizes, passes in ((["M", "S", "L"], True), (["S"], False), (["L"], False), ([], False)):
        assert holds(tree, values_of(FIELDS, {"size": sizes}, 1.0, 1, 1.0)) is passes


def test_each_form_has_its_tree() -> None:
    assert parse_filter({"brand": "Acme"}, FIELDS) == AnyOf("brand", ("Acme",))
    assert parse_filter({"brand": {"is": 42}}, FIELDS) == AnyOf("brand", ("42",))
    assert parse_filter({"category": "shoes/"}, FIELDS) == Below("category", ("shoes",))
    assert parse_filter({"price": {"gte": 1, "lte": 2}}, FIELDS) == Between("price", 1.0, 2.0)
    assert parse_filter({"price": {"gt": 1}}, FIELDS) == Between("price", math.nextafter(1.0, 2.0), math.inf)
    assert parse_filter({"price": {"lt": 1}}, FIELDS) == Between("price", -math.inf, math.nextafter(1.0, 0.0))
    assert parse_filter({"size": {"all": ["S", "M"]}}, FIELDS) == AllOf("size", ("S", "M"))
    assert parse_filter({"listed": {"lte": "1970-01-02"}}, FIELDS) == Between("listed", -math.inf, 86_400.0)
    assert parse_filter({"brand": {"exists": False}}, FIELDS) == Not(Known("brand"))
    assert parse_filter({}, FIELDS) == And(())


def test_a_product_without_a_value_fulfils_no_condition_and_so_its_negation() -> None:
    values = values_of(FIELDS, {}, math.nan, -1, math.nan)
    for wanted in ({"brand": "Acme"}, {"price": {"gte": -1e300}}, {"category": "shoes"}, {"size": {"all": ["M"]}}):
        assert not holds(parse_filter(wanted, FIELDS), values)
        assert holds(parse_filter({"not": wanted}, FIELDS), values)


@pytest.mark.parametrize(
    ("wanted", "says"),
    [
        ([], "an object"), ({"brnd": "x"}, "no field 'brnd'"), ({"brand": []}, "empty list"),
        ({"brand": None}, "filter.brand"), ({"brand": {"gte": 1}}, "is a keyword"), ({"price": "12"}, "finite number"),
        ({"price": {"all": [1]}}, "is a number"), ({"brand": {}}, "says nothing"), ({"any": []}, "list of filters"),
        ({"all": {}}, "list of filters"), ({"not": [1]}, "filter.not"), ({"brand": {"exists": 1}}, "true or false"),
        ({"listed": "soon"}, "a date"), ({"brand": {"any": "x"}}, "a list is wanted"),
        ({"all": [{"brand": "a"}, {"brand": 1.5e999}]}, r"filter.all\[1\].brand"),
    ],
)  # fmt: skip
def test_what_is_refused_says_where_and_what_there_is(wanted: Any, says: str) -> None:
    with pytest.raises(RejectedError, match=says) as refused:
        parse_filter(wanted, FIELDS)
    assert refused.value.reason == "invalid_filter"


def test_size_and_depth_are_bounded() -> None:
    parse_filter({"all": [{"brand": "a"}] * MAX_CONDITIONS}, FIELDS)
    with pytest.raises(RejectedError, match="conditions"):
        parse_filter({"all": [{"brand": "a"}] * (MAX_CONDITIONS + 1)}, FIELDS)
    many = [str(i) for i in range(MAX_FILTER_VALUES + 1)]
    parse_filter({"brand": many[1:]}, FIELDS)
    with pytest.raises(RejectedError, match="values"):
        parse_filter({"brand": many}, FIELDS)
    deep: dict[str, Any] = {"brand": "a"}
    for _ in range(MAX_NESTING):
        deep = {"not": deep}
    parse_filter(deep, FIELDS)
    with pytest.raises(RejectedError, match="nested"):
        parse_filter({"not": deep}, FIELDS)


def test_a_filter_of_a_field_that_this_index_lacks_is_rejected_on_arrival() -> None:
    data = encode_filter(parse_filter({"material": "wool"}, FIELDS))
    with pytest.raises(RejectedError, match="no field 'material'"):
        decode_filter(data, Fields())
    with pytest.raises(RejectedError):
        decode_filter(msgspec.msgpack.encode({"type": "between"}), FIELDS)
