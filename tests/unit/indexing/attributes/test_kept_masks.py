"""Masks of filters are kept and brought up to date: they say what a filter says that is evaluated anew."""

from __future__ import annotations

import math
import threading

import msgspec
import numpy as np
from numpy.typing import NDArray

from indexing.attributes.columns import Columns
from indexing.attributes.row_masks import RowMask
from schemas.query.fields import Field, FieldKind, Fields
from schemas.query.filters import And, AnyOf, Below, Between, Filter, Known, Not, Or

FIELDS = Fields([Field("materials", FieldKind.LIST)])
ROWS = 6000
FILTERS: tuple[Filter | None, ...] = (
    None,
    Between("price", 2.0, math.inf),
    AnyOf("brand", ("b1", "b3")),
    And((Between("price", -math.inf, 5.0), Not(AnyOf("materials", ("m1", "m2"))))),
    Or((Below("category", ("c",)), Known("brand"))),
)


def write(columns: Columns, row: int, random: np.random.Generator) -> None:
    brand, price = int(random.integers(5)), float(random.integers(10))
    attributes = {"brand": f"b{brand}", "category": f"c/{brand}", "materials": [f"m{random.integers(4)}"]}
    columns.write(row, msgspec.json.encode(attributes if random.random() < 0.9 else {}), price, 1, 1.0)
    columns.set_valid(row, bool(random.random() < 0.9))
    columns.set_searchable(row, bool(random.random() < 0.5))


def filled(random: np.random.Generator) -> Columns:
    columns = Columns(FIELDS)
    for row in range(ROWS):
        write(columns, row, random)
    return columns


def anew(columns: Columns, tree: Filter | None, searchable: bool) -> list[int]:
    base = (columns.searchable if searchable else columns.valid)[: len(columns)]
    return np.flatnonzero(base if tree is None else columns.mask(tree, len(columns), base)).tolist()


def test_kept_mask_says_what_a_filter_says_that_is_evaluated_anew() -> None:
    random = np.random.default_rng(1)
    columns = filled(random)
    handed_out: list[tuple[RowMask, list[int]]] = []
    for size in (0, 1, 3, 5, 20, 0, 200, 2, 3000, 1):
        for row in random.integers(0, ROWS + 3, size).tolist():
            write(columns, row, random)
        for tree in FILTERS:
            for searchable in (False, True):
                mask = columns.passing(tree, searchable=searchable)
                expected = anew(columns, tree, searchable)
                assert mask.numbers.tolist() == expected, (size, tree)
                assert mask.count == len(expected)
                handed_out.append((mask, expected))
    # Who has an earlier one still looks at it.
    assert all(np.flatnonzero(mask.mask).tolist() == numbers for mask, numbers in handed_out)


def test_mask_is_kept_while_nothing_is_written_and_made_again_when_something_was() -> None:
    columns = filled(np.random.default_rng(2))
    tree = FILTERS[1]
    first = columns.passing(tree, searchable=True)
    assert columns.passing(tree, searchable=True) is first
    assert columns.passing(tree, searchable=False) is not first
    columns.set_searchable(int(first.numbers[0]), False)
    assert columns.passing(tree, searchable=True).numbers.tolist() == first.numbers.tolist()[1:]


def test_reader_that_was_held_up_for_thousands_of_writes_looks_at_all_rows_again() -> None:
    columns = Columns(FIELDS)
    for row in range(ROWS):
        columns.write(row, b"{}", 1.0, 1, 1.0)
    columns.write_measures(ROWS - 1, 5.0, 1, 1.0)
    columns.set_valid(ROWS - 1, True)
    moved: list[int] = []

    class HeldUp(Columns):
        """Whoever evaluates a mask of it is overtaken, the first time, right after: by 9,000 writes, and a product that
        moves to a row that was looked at already."""

        def mask(self, tree: Filter, rows: int, base: NDArray[np.bool_] | None = None) -> NDArray[np.bool_]:
            found = super().mask(tree, rows, base)
            if not moved:
                moved.append(1)
                self.write_measures(3, 5.0, 1, 1.0)
                self.set_valid(3, True)
                self.clear(ROWS - 1)
                for row in range(9_000):
                    self.write_measures(1000 + row % 3000, 1.0, 1, 1.0)
            return found

    columns.__class__ = HeldUp
    for _ in range(2):
        assert columns.passing(Between("price", 5.0, 6.0), searchable=False).numbers.tolist() == [3]
    assert moved == [1]


def test_filters_without_end_take_bounded_memory() -> None:
    columns = filled(np.random.default_rng(3))
    before = columns.allocated
    for number in range(200):
        tree = Between("price", float(number % 10), 1000.0 + number)
        assert columns.passing(tree, searchable=False).numbers.tolist() == anew(columns, tree, False)
    assert 0 < columns.allocated - before < 64 * ROWS


def test_product_that_passes_all_the_while_is_in_every_mask_beside_a_writer() -> None:
    """Its image moves from row to row, as with a new vector; its price changes, never to one that does not pass."""
    columns = Columns(FIELDS)
    for row in range(ROWS):
        columns.write(row, b"{}", 1.0, 1, 1.0)
    tree = Between("price", 5.0, 6.0)
    columns.write_measures(0, 5.0, 1, 1.0)
    columns.set_valid(0, True)
    ended = threading.Event()
    missed: list[int] = []

    def read() -> None:
        while not ended.is_set():
            if columns.passing(tree, searchable=False).count < 1:
                missed.append(1)

    readers = [threading.Thread(target=read) for _ in range(3)]
    for reader in readers:
        reader.start()
    row = 0
    for turn in range(4000):
        following = (row + 1 + turn % 7) % ROWS
        columns.write_measures(following, 5.0 + turn % 2, 1, 1.0)
        columns.set_valid(following, True)
        columns.clear(row)
        row = following
    ended.set()
    for reader in readers:
        reader.join()
    assert not missed
    assert columns.passing(tree, searchable=False).numbers.tolist() == [row]
