"""The columns of one shard: what its rows are filtered and counted by.

Threads: one writes, any reads, nobody locks. A cell is one aligned store; an
array that grows is copied and published by one assignment. So `mask` sees of a
row that is written meanwhile some cells as they were before and some as they
are after: what it finds is looked at again with `check`, at one moment.

Order for the writer: cells and product before the row is said to be valid; not
valid before anything else of a row that is removed. See `set_valid`.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from indexing.attributes.cells import Cells
from indexing.attributes.encoder import Column, Encoded, Encoder
from indexing.attributes.figures import FigureColumn
from indexing.attributes.keyword_lists import ListColumn
from indexing.attributes.keywords import KeywordColumn
from indexing.attributes.masks import RowValues, fulfilling
from indexing.attributes.row_masks import KeptMasks, RowMask
from indexing.attributes.writes import LOOKS, Found, Writes
from schemas.query.fields import MEASURES, Field, FieldKind, Fields, Values
from schemas.query.filters import Filter, holds

_NAN = math.nan
_DEARER = 64
"""How many times as long a row takes that is looked at by its number as one of all in a row, at least."""
_BY_NUMBER = 4
"""So many changed rows are checked one by one, more in one go, and then those written meanwhile."""


class Columns:
    """One column a field, and three for every row: `valid`, `searchable`, `product`."""

    def __init__(self, fields: Fields, picture_colours: bool = True) -> None:
        """picture_colours: a row has the colours that its picture shows where its attributes say nothing of them."""
        self.fields = fields
        self.columns: Mapping[str, Column] = {field.name: _column(field) for field in fields}
        self.encoder = Encoder(fields, self.columns, picture_colours)
        """For the writer thread."""
        self._valid: Cells[np.bool_] = Cells(np.bool_)
        self._searchable: Cells[np.bool_] = Cells(np.bool_)
        self._product: Cells[np.int32] = Cells(np.int32, -1)
        self._dense = [_dense(self.columns[field.name]) for field in self.encoder.dense]
        self._measures = [_dense(self.columns[name]) for name in MEASURES]
        self._lists = [column for column in self.columns.values() if isinstance(column, ListColumn)]
        self._rows = 0
        self._products = 0
        self._writes = Writes()
        self._kept = KeptMasks()
        self._take_memory()

    def _take_memory(self) -> None:
        """Memory of all cells, for the writer, who then looks nothing up; afresh when they have grown."""
        self._dense_memory = [cells.memory for cells in self._dense]
        self._price, self._sales, self._praise = (cells.memory for cells in self._measures)

    # -- writer thread only ----------------------------------------------------------------------

    def reserve(self, rows: int) -> None:
        """Makes room for row numbers below `rows`."""
        dense: list[Cells[Any]] = [self._valid, self._searchable, self._product]
        for cells in (*dense, *self._dense, *self._measures):
            cells.reserve(rows)
        for column in self._lists:
            column.reserve(rows)
        self._take_memory()

    def _add(self, row: int) -> None:
        if row >= len(self._valid):
            self.reserve(row + 1)
        self._rows = row + 1

    def _begin(self, row: int) -> int:
        """From here on the row is being written; returns what `_writes.row` is to be afterwards."""
        if row >= self._rows:
            self._add(row)
        return self._writes.begin(row)

    def begin(self, row: int) -> None:
        """What is written of the row until `end`, its forward row too, `at_one_moment` sees whole or not at all."""
        self._begin(row)

    def end(self) -> None:
        """The row is written. Must follow, whatever happens in between."""
        self._writes.row = -1

    def write(self, row: int, attributes: bytes, price: float, sales: int, praise: float, shown: int = 0) -> None:
        """A row's whole state. attributes: a JSON object, b"" for none. Numbers as in `write_measures`.

        shown: a code of what the picture shows, see `schemas.features.objects`.
        """
        encoded = self.encoder.encode(attributes, shown)
        outer = self._begin(row)
        try:
            self._write_encoded(row, encoded)
            self._price[row] = price
            self._sales[row] = sales if sales >= 0 else _NAN
            self._praise[row] = praise
        finally:
            self._writes.row = outer

    def write_attributes(self, row: int, attributes: bytes) -> None:
        """A row's attributes alone, where its numbers stay; see `write`."""
        encoded = self.encoder.encode(attributes)
        outer = self._begin(row)
        try:
            self._write_encoded(row, encoded)
        finally:
            self._writes.row = outer

    def write_measures(self, row: int, price: float, sales: int, praise: float) -> None:
        """A row's numbers alone, where its attributes stay; NaN and -1 (sales): unknown."""
        outer = self._begin(row)
        try:
            self._price[row] = price
            self._sales[row] = sales if sales >= 0 else _NAN
            self._praise[row] = praise
        finally:
            self._writes.row = outer

    def _write_encoded(self, row: int, encoded: Encoded) -> None:
        for memory, cell in zip(self._dense_memory, encoded.cells):  # noqa: B905 - one each, and this runs for every row
            memory[row] = cell
        for column, entries in zip(self._lists, encoded.lists):  # noqa: B905
            column.write(row, entries)

    def copy(self, source: int, target: int) -> None:
        """The target has all that the source has, its product too, but is neither valid nor searchable by that."""
        outer = self._begin(target)
        try:
            for cells in (*self._dense, *self._measures):
                cells.memory[target] = cells.memory[source]
            for column in self._lists:
                column.copy(source, target)
            self._product.memory[target] = self._product.memory[source]
        finally:
            self._writes.row = outer

    def clear(self, row: int) -> None:
        """The row stands for nothing any more; its product stays, for who found it before and looks whose it was."""
        outer = self._begin(row)
        try:
            self._searchable.memory[row] = self._valid.memory[row] = False
            self._write_encoded(row, self.encoder.nothing)
            self._price[row] = self._sales[row] = self._praise[row] = _NAN
        finally:
            self._writes.row = outer

    def set_valid(self, row: int, valid: bool) -> None:
        """Whether the row counts: its state says that it is on sale, and it is not superseded.

        True once all else of the row is written, the forward row too; False before any of it is.
        """
        if row >= self._rows:
            self._add(row)
        self._valid.memory[row] = valid
        self._writes.note(row)

    def set_searchable(self, row: int, searchable: bool) -> None:
        """Whether the row is valid and has its vector; order as in `set_valid`."""
        if row >= self._rows:
            self._add(row)
        self._searchable.memory[row] = searchable
        self._writes.note(row)

    def set_product(self, row: int, number: int) -> None:
        """The number of the row's product in this shard: that of its other images' rows, or `products`, the next."""
        if row >= self._rows:
            self._add(row)
        self._product.memory[row] = number
        self._products = max(self._products, number + 1)

    def fill(self, name: str, rows: NDArray[np.int64], cells: NDArray[Any]) -> None:
        """Of many rows, (n,), what the field's column holds: figures, or codes of its names; there is room for them."""
        _dense(self.columns[name]).array[rows] = cells

    def fill_lists(
        self, name: str, rows: NDArray[np.int64], lists: Sequence[tuple[int, ...]], repeats: NDArray[np.int64]
    ) -> None:
        """Of many rows, (n,), codes of a list's names: each list for as many rows in a row as `repeats` says."""
        column = self.columns[name]
        assert isinstance(column, ListColumn), "only lists have any number of codes"
        column.fill(rows, lists, repeats)

    def fill_states(self, valid: NDArray[np.bool_], searchable: NDArray[np.bool_], product: NDArray[np.int32]) -> None:
        """Of all rows from the first on, (n,) each, what `set_valid`, `set_searchable`, `set_product` say."""
        self.reserve(len(valid))
        self._valid.array[: len(valid)] = valid
        self._searchable.array[: len(valid)] = searchable
        self._product.array[: len(valid)] = product
        self._rows = len(valid)
        self._products = int(product.max(initial=-1)) + 1

    def scrub(self) -> None:
        """Drops the bytes of names that no row has; `clear` rows that are dead before. Costs a pass over the rows."""
        self.encoder.forget()
        self._kept.clear()
        for column in self.columns.values():
            if not isinstance(column, FigureColumn):
                column.scrub(self._rows)

    # -- any thread ------------------------------------------------------------------------------

    def __len__(self) -> int:
        """Rows so far; take it before any array, each of which then has them all."""
        return self._rows

    @property
    def products(self) -> int:
        """Product numbers given so far: the next one."""
        return self._products

    @property
    def valid(self) -> NDArray[np.bool_]:
        """`set_valid` of each row, live and for more rows than there are; not to be changed."""
        return self._valid.array

    @property
    def searchable(self) -> NDArray[np.bool_]:
        """`set_searchable` of each row, live and for more rows than there are; not to be changed."""
        return self._searchable.array

    @property
    def product(self) -> NDArray[np.int32]:
        """`set_product` of each row, -1 before, live and for more rows than there are; not to be changed."""
        return self._product.array

    @property
    def writes(self) -> int:
        """How many rows were written so far, -1 while one is: equal before and after, nothing was written between."""
        written = self._writes.count
        return written if self._writes.row < 0 else -1

    def figures(self, name: str) -> NDArray[np.float64]:
        """Cells of a numeric field, NaN for none, live and for more rows than there are; not to be changed."""
        column = self.columns[name]
        assert isinstance(column, FigureColumn), "only numbers have an order"
        return column.cells.array

    def mask(self, tree: Filter, rows: int, base: NDArray[np.bool_] | None = None) -> NDArray[np.bool_]:
        """Which of the first `rows` rows a filter takes, shape (rows,), the caller's own.

        base: none but those that it marks, for instance `valid`; not changed.
        Rows that there are not (yet) are not taken. Raises `KeyError` for a
        field that is not among `fields`.
        """
        there = min(rows, self._rows if base is None else min(self._rows, len(base)))
        found = fulfilling(self.columns, tree, slice(0, there))
        if base is not None:
            found &= base[:there]
        if there < rows:
            found = np.concatenate((found, np.zeros(rows - there, np.bool_)))
        return found

    def passing(self, tree: Filter | None, *, searchable: bool) -> RowMask:
        """Which rows are valid, or searchable, and taken by the filter, of as many rows as there are by then.

        Each row as it was at one moment of this call. A product that passes all
        the while is there, by its old row or by its new one: what is written
        meanwhile is looked at again, and all rows where it is thousands. Where
        the filter was asked for before, only what was written since is looked at.
        """
        base = self._searchable if searchable else self._valid
        kept = self._kept.find((tree, searchable))
        lately = None if kept is None else self._writes.since(kept.written)
        if kept is None or lately is None or _DEARER * len(lately) > len(kept):
            found, written, writing = self._anew(tree, base)
            shared = False
        else:
            found, written, writing = kept.mask, kept.written, -1
            shared = True
        for _ in range(LOOKS):
            now, now_writing = self._writes.count, self._writes.row
            lately = self._writes.since(written)
            if lately is None:
                # This thread was held up for so long that nobody knows what was written.
                found, written, writing = self._anew(tree, base)
                shared = False
                continue
            changed = {writing, *lately} - {-1}
            if not changed:
                mask = kept if kept is not None and shared else RowMask(found, written)
                self._kept.keep((tree, searchable), mask)
                return mask
            if self._rows > len(found):
                found = np.concatenate((found, np.zeros(self._rows - len(found), np.bool_)))
            elif shared:
                found = found.copy()
            shared = False
            numbers = [row for row in changed if row < len(found)]
            if len(numbers) > _BY_NUMBER:
                chosen = np.array(numbers)
                found[chosen] = base.array[chosen] if tree is None else self._taken(tree, chosen, base.array)
            else:
                # An image's old row is cleared, and noted, after its next one was noted as valid: one of them is found.
                for row in numbers:
                    found[row] = (tree is None or self.check(tree, row)) and base.array[row]
                now_writing = -1
            written, writing = now, now_writing
        return RowMask(found, written)

    def _anew(self, tree: Filter | None, base: Cells[np.bool_]) -> tuple[NDArray[np.bool_], int, int]:
        """(mask over all rows, the caller's own; writes before it was made; the row that was being written then)."""
        written, writing = self._writes.count, self._writes.row
        rows = self._rows
        return base.array[:rows].copy() if tree is None else self.mask(tree, rows, base.array), written, writing

    def _taken(self, tree: Filter, rows: NDArray[np.int64], base: NDArray[np.bool_]) -> NDArray[np.bool_]:
        """Which of these rows a filter takes that are marked in `base`; of one that is written meanwhile anything."""
        taken = fulfilling(self.columns, tree, rows)
        taken &= base[rows]
        return taken

    def check(self, tree: Filter, row: int) -> bool:
        """Whether a filter takes the row as it is at one moment."""
        return self.at_one_moment(row, lambda: holds(tree, RowValues(self.columns, row)))

    def values(self, row: int) -> Values:
        """What the row is filtered by, at one moment, as `schemas.query.fields.values_of` has it."""
        return self.at_one_moment(row, lambda: dict(RowValues(self.columns, row)))

    def at_one_moment(self, row: int, read: Callable[[], Found]) -> Found:
        """What `read` finds while nobody writes the row, see `Writes`; `check` and `values` within it count as well."""
        return self._writes.at_one_moment(row, read)

    @property
    def allocated(self) -> int:
        """Bytes of memory held."""
        dense = self._valid.array.nbytes + self._searchable.array.nbytes + self._product.array.nbytes
        return dense + self._kept.allocated + sum(column.allocated for column in self.columns.values())


def _column(field: Field) -> Column:
    if field.kind.numeric:
        return FigureColumn()
    return ListColumn() if field.kind is FieldKind.LIST else KeywordColumn(field)


def _dense(column: Column) -> Cells[Any]:
    assert not isinstance(column, ListColumn), "lists have no cells"
    return column.cells
