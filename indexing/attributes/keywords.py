"""The column of a field of which a row has one keyword or none: kinds keyword and path."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from indexing.attributes.cells import Cells
from indexing.attributes.names import NONE, Names
from schemas.query.fields import Field, FieldKind
from schemas.query.filters import AllOf, Condition, Known

_FEW_CODES = 6
"""So many comparisons take the time of one look-up in a table, measured on 50,000 rows."""


class KeywordColumn:
    """A code a row. Threads as in `cells.py`."""

    def __init__(self, field: Field) -> None:
        self.kind = field.kind
        self.names = Names(paths=field.kind is FieldKind.PATH)
        self.cells: Cells[np.int32] = Cells(np.int32, NONE)

    @property
    def allocated(self) -> int:
        """Bytes of memory held."""
        return self.cells.array.nbytes + self.names.allocated

    def value(self, row: int) -> tuple[str, ...]:
        """The keyword as `schemas.query.fields.values_of` has it. Any thread."""
        text = self.names.text(self.cells.memory[row])
        return (text,) if text else ()

    def entries(self, rows: NDArray[np.int64]) -> tuple[NDArray[np.intp], NDArray[np.intp]]:
        """Of those of these rows, (n,), that have a keyword: (the row's place among them, its code). Any thread."""
        codes = self.cells.array.take(rows).astype(np.intp)
        places = np.flatnonzero(codes != NONE)
        return places, codes[places]

    def fulfilling(self, condition: Condition, rows: slice | NDArray[np.int64]) -> NDArray[np.bool_]:
        """See `masks.Conditional`. Any thread."""
        codes = self.cells.array[rows]
        match condition:
            case Known():
                having: NDArray[np.bool_] = codes != NONE
                return having
            case AllOf(_, wanted) if not wanted:
                return np.ones(len(codes), np.bool_)
            case AllOf(_, wanted) if len(set(wanted)) > 1:
                return np.zeros(len(codes), np.bool_)
        return among(codes, self.names.meant(condition), self.names)

    def scrub(self, rows: int) -> None:
        """Forgets the names that none of the first `rows` rows has. Writer thread only."""
        used = np.zeros(len(self.names), np.bool_)
        used[self.cells.array[:rows]] = True
        self.names.forget(used)


def among(codes: NDArray[np.int32], wanted: list[int], names: Names) -> NDArray[np.bool_]:
    """Which of these codes, (n,), are one of the wanted ones, none of which is `NONE`. Any thread."""
    if not wanted:
        return np.zeros(len(codes), np.bool_)
    if len(wanted) <= _FEW_CODES:
        found: NDArray[np.bool_] = codes == wanted[0]
        for code in wanted[1:]:
            found |= codes == code
        return found
    # Cells that are written meanwhile may hold later codes than the table has room for.
    table = np.zeros(max(len(names), max(wanted) + 1) + 1, np.bool_)
    table[wanted] = True
    return table.take(codes.astype(np.intp), mode="clip")
