"""Columns against `schemas.query`: whatever is written, in whatever order, a mask is `holds` of every row's values."""

from __future__ import annotations

import math
from typing import Any

import msgspec
import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from indexing.attributes.columns import Columns
from schemas.query.fields import Field, FieldKind, Fields, Values, values_of
from schemas.query.filters import AllOf, And, AnyOf, Below, Between, Filter, Known, Not, Or, holds

FIELDS = Fields(
    [
        Field("materials", FieldKind.LIST),
        Field("shelf/place", FieldKind.PATH),
        Field("weight", FieldKind.NUMBER),
        Field("season", FieldKind.TIME),
        Field("gender", FieldKind.KEYWORD),
    ]
)
NAMES = FIELDS.names()
WORDS = ["a", "b", "a/b", "a/b/c", "a/bc", "/a", "a//b", "a/", "42", "true", "ä", "x" * 600]
NUMBERS = [-1.5, 0.0, 1.0, 42.0, 1e6]
TIMES = ["2024-01-01", "2024-06-01T12:00:00Z", "2024-06-01T12:00:00+02:00", "no time"]

_scalars = st.one_of(
    st.sampled_from(WORDS), st.sampled_from(TIMES), st.sampled_from(NUMBERS), st.sampled_from([42, True, False, None])
)
_raw = st.one_of(_scalars, st.lists(_scalars, max_size=5), st.just({"a": 1}), st.just([["a"]]))
_attributes = st.dictionaries(st.sampled_from([*NAMES, "title"]), _raw, max_size=8)
_measures = st.tuples(
    st.sampled_from([*NUMBERS, math.nan, math.inf]),
    st.sampled_from([-1, 0, 42]),
    st.sampled_from([0.0, 42.0, math.nan]),
)
_bounds = st.sampled_from([*NUMBERS, 1704067200.0, 1717243200.0, math.inf, -math.inf])
_words = st.lists(st.sampled_from([*WORDS, "unknown", ""]), max_size=3).map(tuple)
_fields = st.sampled_from(NAMES)
_conditions = st.one_of(
    st.builds(AnyOf, _fields, _words),
    st.builds(AnyOf, _fields, st.just((*WORDS, *map(str, range(20))))),
    st.builds(Below, _fields, _words),
    st.builds(AllOf, _fields, _words),
    st.builds(Between, _fields, _bounds, _bounds),
    st.builds(Known, _fields),
)
filters = st.recursive(
    _conditions,
    lambda parts: st.one_of(
        st.builds(And, st.lists(parts, max_size=3).map(tuple)),
        st.builds(Or, st.lists(parts, max_size=3).map(tuple)),
        st.builds(Not, parts),
    ),
    max_leaves=6,
)
_rows = st.integers(0, 7)
_writes = st.one_of(
    st.tuples(st.just("write"), _rows, _attributes, _measures),
    st.tuples(st.just("attributes"), _rows, _attributes),
    st.tuples(st.just("measures"), _rows, _measures),
    st.tuples(st.just("copy"), _rows, _rows),
    st.tuples(st.just("clear"), _rows),
    st.tuples(st.just("scrub"),),
)  # fmt: skip

NOTHING: tuple[dict[str, Any], tuple[float, int, float]] = ({}, (math.nan, -1, math.nan))


class Model:
    """Columns, and of each row what was written last."""

    def __init__(self) -> None:
        self.columns = Columns(FIELDS)
        self.rows: dict[int, tuple[dict[str, Any], tuple[float, int, float]]] = {}

    def apply(self, write: tuple[Any, ...]) -> None:
        columns, rows = self.columns, self.rows
        match write:
            case ("write", row, attributes, measures):
                columns.write(row, msgspec.json.encode(attributes), *measures)
                rows[row] = (attributes, measures)
            case ("attributes", row, attributes):
                columns.write_attributes(row, msgspec.json.encode(attributes))
                rows[row] = (attributes, rows.get(row, NOTHING)[1])
            case ("measures", row, measures):
                columns.write_measures(row, *measures)
                rows[row] = (rows.get(row, NOTHING)[0], measures)
            case ("copy", source, target):
                columns.copy(source, target)
                rows[target] = rows.get(source, NOTHING)
            case ("clear", row):
                columns.clear(row)
                rows[row] = NOTHING
            case _:
                columns.scrub()

    def values(self, row: int) -> Values:
        attributes, measures = self.rows.get(row, NOTHING)
        # As they come out of the JSON.
        return values_of(FIELDS, msgspec.json.decode(msgspec.json.encode(attributes)), *measures)


def same(one: Values, other: Values) -> bool:
    return one.keys() == other.keys() and all(
        value == other[name] or (isinstance(value, float) and value != value and other[name] != other[name])
        for name, value in one.items()
    )


@given(st.lists(_writes, max_size=30), st.lists(filters, min_size=1, max_size=4), st.integers(0, 10), st.booleans())
@settings(deadline=None, max_examples=150)
def test_mask_and_check_are_holds_of_every_row(
    writes: list[tuple[Any, ...]], trees: list[Filter], asked: int, based: bool
) -> None:
    model = Model()
    for write in writes:
        model.apply(write)
    columns = model.columns
    there = len(columns)
    for row in range(there):
        assert same(columns.values(row), model.values(row))
    base = np.arange(16) % 2 == 0 if based else None
    for tree in trees:
        expected = [holds(tree, model.values(row)) for row in range(there)]
        assert [columns.check(tree, row) for row in range(there)] == expected
        taken = columns.mask(tree, asked, base)
        wanted = [row < there and expected[row] and (not based or row % 2 == 0) for row in range(asked)]
        assert taken.tolist() == wanted
        assert base is None or base.tolist() == [row % 2 == 0 for row in range(16)]


def test_many_rows_and_many_changes_keep_lists_right() -> None:
    random = np.random.default_rng(3)
    columns = Columns(FIELDS)
    lists: dict[int, list[str]] = {}
    for _ in range(12_000):
        row = int(random.integers(0, 3_000))
        lists[row] = [f"m{word}" for word in random.choice(40, random.integers(0, 6), replace=False)]
        columns.write_attributes(row, msgspec.json.encode({"materials": lists[row]}))
    held = columns.allocated
    for word in ("m0", "m7", "m39"):
        having = np.flatnonzero(columns.mask(AnyOf("materials", (word,)), len(columns))).tolist()
        assert having == sorted(row for row, words in lists.items() if word in words)
    many = tuple(f"m{word}" for word in range(12))
    having = np.flatnonzero(columns.mask(AnyOf("materials", many), len(columns))).tolist()
    assert having == sorted(row for row, words in lists.items() if set(words) & set(many))
    for row, words in lists.items():
        for _ in range(8):
            columns.write_attributes(row, msgspec.json.encode({"materials": [*words[::-1], "more"]}))
            columns.write_attributes(row, msgspec.json.encode({"materials": words}))
    assert columns.allocated < 3 * held, "stale entries go"
    assert {row: list(columns.values(row)["materials"]) for row in lists} == lists  # type: ignore[arg-type]
