"""What columns promise beside filters: states, growth, one moment, forgotten names."""

from __future__ import annotations

import gc
import math
import threading
from typing import Any

import msgspec
import numpy as np
import pytest

from indexing.attributes.columns import Columns
from indexing.attributes.keyword_lists import ListColumn
from indexing.attributes.keywords import among
from indexing.attributes.names import Names
from schemas.query.fields import Field, FieldKind, Fields
from schemas.query.filters import And, AnyOf, Below, Between, Known, Not

FIELDS = Fields([Field("materials", FieldKind.LIST)])


def rows_of(columns: Columns, brand: str) -> list[int]:
    return np.flatnonzero(columns.mask(AnyOf("brand", (brand,)), len(columns), columns.valid)).tolist()


def test_row_counts_only_while_it_is_valid() -> None:
    columns = Columns(FIELDS)
    columns.write(0, b'{"brand":"a"}', 1.0, 1, 1.0)
    assert rows_of(columns, "a") == []
    columns.set_valid(0, True)
    assert rows_of(columns, "a") == [0]
    columns.set_valid(0, False)
    assert rows_of(columns, "a") == []


def test_copied_row_is_not_valid_by_that_and_has_the_product() -> None:
    columns = Columns(FIELDS)
    columns.write(0, b'{"brand":"a"}', 1.0, 1, 1.0)
    columns.set_product(0, 7)
    columns.set_valid(0, True)
    columns.set_searchable(0, True)
    columns.copy(0, 1)
    assert columns.product[:2].tolist() == [7, 7]
    assert columns.valid[:2].tolist() == [True, False]
    assert columns.searchable[:2].tolist() == [True, False]
    columns.clear(0)
    assert columns.product[:2].tolist() == [7, 7]
    assert not columns.valid[0]
    assert not columns.searchable[0]
    assert columns.values(1)["brand"] == ("a",)
    assert columns.values(0)["brand"] == ()


def test_product_numbers_go_on_behind_the_greatest() -> None:
    columns = Columns(FIELDS)
    columns.set_product(0, 4)
    columns.set_product(1, 2)
    assert columns.products == 5
    assert columns.product[:3].tolist() == [4, 2, -1]


def test_rows_beyond_the_first_arrays_keep_what_earlier_ones_have() -> None:
    columns = Columns(FIELDS)
    for row in range(5000):
        columns.write(
            row, msgspec.json.encode({"brand": f"b{row % 7}", "materials": [f"m{row}"]}), float(row), row, 1.0
        )
        columns.set_valid(row, True)
    assert rows_of(columns, "b3") == list(range(3, 5000, 7))
    assert np.flatnonzero(columns.mask(Between("price", 4998.0, math.inf), 5000)).tolist() == [4998, 4999]
    assert np.flatnonzero(columns.mask(AnyOf("materials", ("m2", "m4999")), 5000)).tolist() == [2, 4999]
    assert len(columns) == 5000


@pytest.mark.parametrize("wanted", [1, 2, 6, 7, 30])
def test_any_number_of_keywords_is_found(wanted: int) -> None:
    columns = Columns(FIELDS)
    for row in range(100):
        columns.write_attributes(row, msgspec.json.encode({"brand": f"b{row % 40}", "category": f"c/{row % 40}"}))
    columns.write_attributes(100, b"{}")
    expected = [row for row in range(100) if row % 40 < wanted]
    brands = AnyOf("brand", tuple(f"b{number}" for number in range(wanted)))
    paths = Below("category", tuple(f"c/{number}" for number in range(wanted)))
    assert np.flatnonzero(columns.mask(brands, 101)).tolist() == expected
    assert np.flatnonzero(columns.mask(paths, 101)).tolist() == expected


def test_reader_that_asks_for_more_rows_than_there_are_gets_no_more() -> None:
    columns = Columns(FIELDS)
    columns.write_attributes(0, b"{}")
    absent = Not(Known("brand"))
    assert columns.mask(absent, 3000).tolist() == [True] + [False] * 2999
    assert columns.mask(absent, 2, np.ones(1, np.bool_)).tolist() == [True, False]


def test_what_is_no_json_object_has_no_attributes() -> None:
    columns = Columns(FIELDS)
    for attributes in (b"", b"[]", b"{", b'"brand"', b"\xff", b"[" * 100_000, b'{"brand":"\xff"}'):
        columns.write_attributes(0, b'{"brand":"a"}')
        columns.write_attributes(0, attributes)
        assert columns.values(0)["brand"] == (), attributes


def test_equal_attributes_after_others_are_written_again() -> None:
    columns = Columns(FIELDS)
    for row, brand in enumerate(["a", "a", "b", "a"]):
        columns.write_attributes(row, msgspec.json.encode({"brand": brand}))
    assert [columns.values(row)["brand"] for row in range(4)] == [("a",), ("a",), ("b",), ("a",)]


def test_scrub_leaves_no_name_in_memory_that_no_row_has() -> None:
    columns = Columns(FIELDS)
    secret = "erased-name-7731"
    columns.write_attributes(
        0, msgspec.json.encode({"brand": secret, "category": f"a/{secret}/b", "materials": [secret, "wool"]})
    )
    columns.write_attributes(1, b'{"brand":"kept","category":"a/kept","materials":["wool"]}')
    columns.write_attributes(0, b"")
    assert [each for each in _texts(columns) if secret in each], "this is how they are found"
    columns.scrub()
    gc.collect()
    assert not [each for each in _texts(columns) if secret in each]
    kept = columns.values(1)
    assert (kept["brand"], kept["category"], kept["materials"]) == (("kept",), ("a/kept",), ("wool",))
    assert np.flatnonzero(columns.mask(Below("category", ("a",)), 2)).tolist() == [1]
    columns.write_attributes(
        0, msgspec.json.encode({"brand": secret, "category": f"a/{secret}", "materials": [secret]})
    )
    assert rows_of_any(columns, secret) == [0]


def rows_of_any(columns: Columns, word: str) -> list[int]:
    tree = And((AnyOf("brand", (word,)), Below("category", (f"a/{word}",)), AnyOf("materials", (word,))))
    return np.flatnonzero(columns.mask(tree, len(columns))).tolist()


def _texts(root: object) -> list[str]:
    """All texts and bytes that can be reached from an object."""
    seen: set[int] = set()
    found: list[str] = []
    stack: list[object] = [root]
    while stack:
        each = stack.pop()
        if id(each) in seen or isinstance(each, type):
            continue
        seen.add(id(each))
        if isinstance(each, str | bytes):
            found.append(str(each))
        elif type(each).__module__ != "builtins" or isinstance(each, dict | list | tuple | set):
            stack += gc.get_referents(each)
    return found


def test_forgotten_codes_are_never_given_again() -> None:
    names = Names(paths=False)
    first, second = names.code("a"), names.code("b")
    used = np.zeros(len(names), np.bool_)
    used[second] = True
    names.forget(used)
    assert names.of(["a", "b"]) == [second]
    assert names.text(first) == ""
    assert names.code("a") not in (first, second)


def test_memory_of_lists_that_change_for_ever_is_bounded() -> None:
    columns = Columns(FIELDS)
    columns.write_attributes(0, b'{"materials":["m1","m2"]}')
    columns.write_attributes(1, b'{"materials":["m0"]}')
    held = []
    for change in range(40_000):
        column = columns.columns["materials"]
        column.write(1, (1 + change % 2, change + 3))  # type: ignore[call-arg, arg-type, union-attr]
        if change % 10_000 == 9_999:
            held.append(columns.allocated)
    assert max(held) < 2_000_000
    assert columns.values(0)["materials"] == ("m1", "m2")


def test_check_sees_a_write_whole_or_not_at_all() -> None:
    columns = Columns(FIELDS)
    states = [(msgspec.json.encode({"brand": f"b{n}", "size": [f"s{n}"]}), float(n), n, float(n)) for n in range(2)]
    columns.write(0, *states[0])
    mixed = [
        And((AnyOf("brand", (f"b{n}",)), AnyOf("size", (f"s{1 - n}",)))) for n in range(2)
    ] + [And((AnyOf("brand", (f"b{n}",)), Between("price", 1.0 - n, 1.0 - n))) for n in range(2)]  # fmt: skip
    over = threading.Event()

    def write() -> None:
        turn = 0
        while not over.is_set():
            turn += 1
            columns.write(0, *states[turn % 2])

    writer = threading.Thread(target=write)
    writer.start()
    try:
        seen = [tree for _ in range(300) for tree in mixed if columns.check(tree, 0)]
    finally:
        over.set()
        writer.join()
    assert not seen


def test_reader_in_the_middle_of_a_write_waits_for_its_end() -> None:
    columns = Columns(FIELDS)
    columns.write(0, b'{"brand":"a"}', 1.0, 1, 1.0)
    columns.begin(0)
    columns.write_measures(0, 2.0, 1, 1.0)
    timer = threading.Timer(0.002, lambda: (columns.write_attributes(0, b'{"brand":"b"}'), columns.end()))
    timer.start()
    values = columns.values(0)
    timer.join()
    assert (values["brand"], values["price"]) == (("b",), 2.0)


def test_write_that_falls_into_a_look_has_it_repeated() -> None:
    columns = Columns(FIELDS)
    columns.write(0, b"{}", 1.0, 1, 1.0)
    looks = []

    def look() -> float:
        looks.append(None)
        price = columns.columns["price"].value(0)
        if len(looks) == 1:
            columns.write_measures(0, 2.0, 1, 1.0)
        assert isinstance(price, float)
        return price

    assert columns.at_one_moment(0, look) == 2.0
    assert len(looks) == 2


def test_row_whose_write_never_ends_is_read_all_the_same() -> None:
    columns = Columns(FIELDS)
    columns.write(0, b'{"brand":"a"}', 1.0, 1, 1.0)
    columns.begin(0)
    assert columns.check(AnyOf("brand", ("a",)), 0)


@pytest.mark.parametrize("others", [0, 3_000, 20_000], ids=["alone", "amid growth", "amid growth and dropped sets"])
@pytest.mark.parametrize("place", ["meant", "among"])
def test_row_whose_list_changes_amid_a_mask_is_found_when_it_matches_before_and_after(
    monkeypatch: pytest.MonkeyPatch, place: str, others: int
) -> None:
    columns = Columns(FIELDS)
    columns.write_attributes(0, b'{"materials":["always"]}')
    columns.write_attributes(1, b'{"materials":["other"]}')
    column = columns.columns["materials"]
    assert isinstance(column, ListColumn)
    real = column.names.meant if place == "meant" else among
    changes = []

    def changed(*arguments: Any) -> Any:
        changes.append(None)
        for number in range(others):
            column.write(1, (2, 3 + number))
        columns.write_attributes(0, msgspec.json.encode({"materials": [f"new{len(changes)}", "always"]}))
        return real(*arguments)

    if place == "meant":
        monkeypatch.setattr(column.names, "meant", changed)
    else:
        monkeypatch.setattr("indexing.attributes.keyword_lists.among", changed)
    for _ in range(2):
        assert columns.mask(AnyOf("materials", ("always",)), len(columns))[0]
    assert len(changes) == 2
