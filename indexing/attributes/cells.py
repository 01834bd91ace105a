"""Cells: an array of one number a row that one thread writes while any thread reads."""

from __future__ import annotations

from typing import Any, Generic, TypeVar

import numpy as np
from numpy.typing import DTypeLike, NDArray

FIRST_ROWS = 1024
_GROWTH = 1.5

Number = TypeVar("Number", bound=np.generic)


class Cells(Generic[Number]):
    """`array`, of all rows there is room for, changes under its readers, cell by cell, each by one aligned store.

    Growth copies it into a larger one, which is published by one assignment: a
    reader takes `array` once, and sees what was written into that one. Rows
    that were never written hold `empty`.
    """

    def __init__(self, dtype: DTypeLike, empty: Any = 0) -> None:
        self._dtype = np.dtype(dtype)
        self._empty = empty
        self._publish(self._new(FIRST_ROWS))

    def _new(self, rows: int) -> NDArray[Number]:
        # Zeros come from the system untouched: rows that nobody needs yet take no memory.
        if not self._empty:
            return np.zeros(rows, self._dtype)
        return np.full(rows, self._empty, self._dtype)

    def _publish(self, array: NDArray[Number]) -> None:
        self.array = array
        # A cell by a memoryview is Python's number, in a third of numpy's time.
        self.memory: Any = array.data

    def __len__(self) -> int:
        """Rows there is room for."""
        return len(self.array)

    def reserve(self, rows: int) -> None:
        """Makes room for row numbers below `rows`. Writer thread only; `memory` is another afterwards."""
        if rows > len(self.array):
            array = self._new(max(rows, int(_GROWTH * len(self.array))))
            array[: len(self.array)] = self.array
            self._publish(array)
