"""Which rows are written, and which were lately: so that a reader who takes no lock knows what to look at again."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import TypeVar

LOOKS = 100
_WAIT_S = 0.0001
_PATIENCE_S = 1.0
"""How long a row that is being written is waited for; its writer needs microseconds, once it is let run."""
_NOTED = 1 << 13
"""Rows written lately that are known by number."""

Found = TypeVar("Found")


class Writes:
    """One thread writes, any reads. `count`: writes begun so far; `row`: that which is being written, -1 for none.

    A write counts before the first of its cells is stored. Who reads `count`,
    then cells, then `since` that count, knows which of the cells may have been
    half written; what is not among these is as it was, or as it is.
    """

    __slots__ = ("_lately", "count", "row")

    def __init__(self) -> None:
        self.count = 0
        self.row = -1
        self._lately = [-1] * _NOTED

    # -- writer thread only ----------------------------------------------------------------------

    def begin(self, row: int) -> int:
        """From here on the row is being written; returns what `row` is to be afterwards."""
        # In this order: who has seen another number of writes looks again, who has not sees that it goes on.
        self._lately[self.count % _NOTED] = row
        outer, self.row = self.row, row
        self.count += 1
        return outer

    def note(self, row: int) -> None:
        """A cell of the row was stored, by one store that needs nothing else of the row."""
        self._lately[self.count % _NOTED] = row
        self.count += 1

    # -- any thread ------------------------------------------------------------------------------

    def since(self, count: int) -> list[int] | None:
        """The rows whose writing began after the first `count`, None where they are too many to be known."""
        now = self.count
        if now == count:
            return []
        first, end = count % _NOTED, now % _NOTED
        lately = self._lately[first:end] if first < end else self._lately[first:] + self._lately[:end]
        # The last one's place may just be being taken by the next.
        return lately if self.count - count < _NOTED else None

    def at_one_moment(self, row: int, read: Callable[[], Found]) -> Found:
        """What `read` finds while nobody writes the row; called again when somebody did.

        After a second of a row that is being written (its writer died) it is read as it is.
        """
        patient_until = 0.0
        for _ in range(LOOKS):
            count = self.count
            while self.row == row:
                patient_until = patient_until or time.monotonic() + _PATIENCE_S
                if time.monotonic() > patient_until:
                    return read()
                time.sleep(_WAIT_S)
                count = self.count
            found = read()
            lately = self.since(count)
            if lately is not None and row not in lately:
                return found
        return read()
