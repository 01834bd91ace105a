"""The column of a numeric field: kinds number and time."""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import NDArray

from indexing.attributes.cells import Cells
from schemas.query.filters import AllOf, Between, Condition, Known


class FigureColumn:
    """A float64 a row, NaN for none. Threads as in `cells.py`."""

    def __init__(self) -> None:
        self.cells: Cells[np.float64] = Cells(np.float64, math.nan)

    @property
    def allocated(self) -> int:
        """Bytes of memory held."""
        return self.cells.array.nbytes

    def value(self, row: int) -> float:
        """The number. Any thread."""
        figure: float = self.cells.memory[row]
        return figure

    def fulfilling(self, condition: Condition, rows: slice | NDArray[np.int64]) -> NDArray[np.bool_]:
        """See `masks.Conditional`. Any thread."""
        figures = self.cells.array[rows]
        found: NDArray[np.bool_]
        match condition:
            case Between(_, low, high):
                # NaN is in no range; one comparison is enough where a side is open.
                if high == math.inf:
                    found = figures >= low
                elif low == -math.inf:
                    found = figures <= high
                else:
                    found = figures >= low
                    found &= figures <= high
            case Known():
                found = figures == figures
            case AllOf(_, wanted) if not wanted:
                found = np.ones(len(figures), np.bool_)
            case _:
                found = np.zeros(len(figures), np.bool_)
        return found
