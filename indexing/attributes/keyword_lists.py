"""The column of a field of which a row has any number of keywords: kind list.

Rows do not own their keywords: they have the number of a *set*, and equal
lists (all images of a product, all shoes in the same sizes) are one set mostly.
So a row changes by one store, as with one keyword; a condition looks at every
set once and at every row once; and a hundred thousand rows with the same few
lists take four bytes each.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from indexing.attributes.cells import Cells
from indexing.attributes.keywords import among
from indexing.attributes.names import Names
from schemas.query.filters import AllOf, Condition, Known

_KNOWN_SETS = 1 << 14
"""Sets that are found again by what is in them. Beyond, a list that was there gets a set of its own once more."""
_KNOWN_BYTES = 250
"""What such a set takes besides, with four codes. Measured."""
_LEAST_SETS = 4096
"""Fewer sets are not worth a pass over the rows, to find those that no row has any more."""


class _View:
    """What a reader takes by one reference.

    `cells`: a row's set, 0 for none. Set s has the codes from `starts[s]` to
    below `starts[s + 1]` of `codes`; `owners` says of each which set it is in.
    Set and codes are written, then `sets` and `count`, then a cell: who takes
    cells first knows all their sets. A view that is not the latest never changes.
    """

    __slots__ = ("cells", "codes", "count", "owners", "sets", "starts")

    def __init__(self, cells: Cells[np.int32], entries: int, sets: int) -> None:
        self.cells = cells
        self.codes = np.zeros(entries, np.int32)
        self.owners = np.zeros(entries, np.int32)
        self.starts = np.zeros(sets + 1, np.int32)
        self.count = 0
        self.sets = 1

    @property
    def allocated(self) -> int:
        return self.cells.array.nbytes + self.codes.nbytes + self.owners.nbytes + self.starts.nbytes

    def sizes(self) -> NDArray[np.int32]:
        """Codes in each set, (sets,)."""
        return np.diff(self.starts[: self.sets + 1])


class ListColumn:
    """One thread writes, any thread reads."""

    def __init__(self) -> None:
        self.names = Names(paths=False)
        self._view = _View(Cells(np.int32), _LEAST_SETS, _LEAST_SETS)
        self._known: dict[tuple[int, ...], int] = {(): 0}
        self._worth_a_pass = _LEAST_SETS

    @property
    def allocated(self) -> int:
        """Bytes of memory held, near enough."""
        return self._view.allocated + self.names.allocated + _KNOWN_BYTES * len(self._known)

    # -- writer thread only ----------------------------------------------------------------------

    def reserve(self, rows: int) -> None:
        """Makes room for row numbers below `rows`."""
        self._view.cells.reserve(rows)

    def write(self, row: int, codes: tuple[int, ...]) -> None:
        """The row has these keywords, each once, and no others."""
        number = self._known.get(codes)
        if number is None:
            if self._view.sets >= self._worth_a_pass:
                self._drop_unused()
            number = self._set_of(codes)
        self._view.cells.memory[row] = number

    def copy(self, source: int, target: int) -> None:
        """The target has what the source has."""
        memory = self._view.cells.memory
        memory[target] = memory[source]

    def fill(self, rows: NDArray[np.int64], lists: Sequence[tuple[int, ...]], repeats: NDArray[np.int64]) -> None:
        """Keywords of many rows, (n,): those of each list for as many rows, one behind the other, as `repeats` says."""
        numbers = [self._set_of(codes) for codes in lists]
        self._view.cells.array[rows] = np.repeat(np.array(numbers, np.int32), repeats)
        self._worth_a_pass = max(_LEAST_SETS, 2 * self._view.sets)

    def _set_of(self, codes: tuple[int, ...]) -> int:
        """The number of the set with these codes, a new one where none is known; no row has that yet."""
        known = self._known.get(codes)
        if known is not None:
            return known
        if len(self._known) >= _KNOWN_SETS:
            self._known = {(): 0}
        view = self._view
        number, first = view.sets, view.count
        count = first + len(codes)
        if count > len(view.codes) or number + 2 > len(view.starts):
            view = self._grown(count, number + 1)
        view.codes[first:count] = codes
        view.owners[first:count] = number
        view.starts[number + 1] = count
        view.count = count
        view.sets = number + 1
        self._known[codes] = number
        return number

    def _grown(self, entries: int, sets: int) -> _View:
        old = self._view
        # With cells of its own, so that the view before never has a row whose set it does not know.
        view = _View(_copy(old.cells), max(entries, 3 * len(old.codes) // 2), max(sets, 3 * len(old.starts) // 2))
        view.codes[: old.count], view.owners[: old.count] = old.codes[: old.count], old.owners[: old.count]
        view.starts[: old.sets + 1] = old.starts[: old.sets + 1]
        view.count, view.sets = old.count, old.sets
        self._view = view
        return view

    def _drop_unused(self, least: float = 0.5) -> None:
        """New sets, of those alone that rows have, when at least that part of all is unused."""
        old = self._view
        used = np.zeros(old.sets, np.bool_)
        used[old.cells.array] = True
        used[0] = True
        kept = int(np.count_nonzero(used))
        self._worth_a_pass = max(_LEAST_SETS, 2 * kept)
        if old.sets - kept < least * old.sets:
            return
        numbers = (np.cumsum(used) - 1).astype(np.int32)
        staying = np.flatnonzero(used[old.owners[: old.count]])
        view = _View(_copy(old.cells), max(_LEAST_SETS, len(staying)), max(_LEAST_SETS, kept))
        view.cells.array[:] = numbers[view.cells.array]
        view.codes[: len(staying)] = old.codes[staying]
        view.owners[: len(staying)] = numbers[old.owners[staying]]
        view.starts[1 : kept + 1] = np.cumsum(old.sizes()[used])
        view.count, view.sets = len(staying), kept
        self._known = {(): 0}
        self._view = view

    def scrub(self, rows: int) -> None:
        """Forgets the names that none of the rows has."""
        self._drop_unused(least=0.0)
        used = np.zeros(len(self.names), np.bool_)
        used[self._view.codes[: self._view.count]] = True
        self.names.forget(used)

    # -- any thread ------------------------------------------------------------------------------

    def value(self, row: int) -> tuple[str, ...]:
        """The keywords as `schemas.query.fields.values_of` has them."""
        view = self._view
        number = view.cells.memory[row]
        codes = view.codes[view.starts[number] : view.starts[number + 1]].tolist()
        return tuple([text for code in codes if (text := self.names.text(code))])

    def fulfilling(self, condition: Condition, rows: slice | NDArray[np.int64]) -> NDArray[np.bool_]:
        """See `masks.Conditional`."""
        view = self._view
        of_rows = view.cells.array[rows]
        if isinstance(condition, Known):
            having: NDArray[np.bool_] = of_rows != 0
            return having
        codes = self.names.meant(condition)
        every = isinstance(condition, AllOf)
        if every and len(codes) < len(set(condition.values)):  # type: ignore[union-attr]
            codes = []
        elif every and not codes:
            return np.ones(len(of_rows), np.bool_)
        if not codes:
            return np.zeros(len(of_rows), np.bool_)
        numbers = of_rows.astype(np.intp)  # a copy: who takes cells first knows all their sets
        sets = self._sets_with(view, [codes]) if not every else self._sets_with(view, [[code] for code in codes])
        return sets.take(numbers, mode="clip")

    def _sets_with(self, view: _View, wanted: list[list[int]]) -> NDArray[np.bool_]:
        """Which sets have, of each of these groups of codes, one at least, (sets,)."""
        found = np.ones(view.sets, np.bool_)
        count = view.count
        for codes in wanted:
            having = np.zeros(len(found), np.bool_)
            owners = view.owners[:count][among(view.codes[:count], codes, self.names)]
            having[owners[owners < len(found)]] = True
            found &= having
        return found

    def counts(self, rows: NDArray[np.int64]) -> tuple[NDArray[np.int64], int]:
        """How many of these rows, (n,), have each code, (codes,), and how many have any."""
        view = self._view
        numbers = view.cells.array.take(rows)
        count = view.count
        per_set = np.bincount(numbers, minlength=int(view.owners[:count].max(initial=0)) + 1)
        per_code = np.bincount(view.codes[:count], weights=per_set.take(view.owners[:count]))
        return per_code.astype(np.int64), int(np.count_nonzero(numbers))

    def sets(self, rows: NDArray[np.int64]) -> NDArray[np.int32]:
        """Of each of these rows, (n,), a number that is the same for equal lists, mostly; 0 of an empty one."""
        numbers: NDArray[np.int32] = self._view.cells.array.take(rows)
        return numbers

    def entries(self, rows: NDArray[np.int64]) -> tuple[NDArray[np.intp], NDArray[np.intp]]:
        """Every code of each of these rows, (n,): (the row's place among them, the code), (entries,) each."""
        view = self._view
        numbers = view.cells.array.take(rows)
        first = view.starts.take(numbers)
        sizes = view.starts.take(numbers + 1) - first
        places = np.repeat(np.arange(len(rows)), sizes)
        within = np.arange(len(places)) - np.repeat(np.cumsum(sizes) - sizes, sizes)
        return places, view.codes.take(first[places] + within).astype(np.intp)


def _copy(cells: Cells[np.int32]) -> Cells[np.int32]:
    copy: Cells[np.int32] = Cells(np.int32)
    copy.reserve(len(cells))
    copy.array[: len(cells)] = cells.array
    return copy
