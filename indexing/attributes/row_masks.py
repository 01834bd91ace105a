"""Which rows pass a filter; and the masks of the filters asked for last, to be brought up to date instead of made anew.

Filters repeat: the page of a category, a chip, the next page of a list. What
a mask says stays true but for rows written since, and `Columns.passing` looks
at those alone: a kept mask saves time, and never shows what was.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from indexing.rows.validity import selector_of
from schemas.query.filters import Filter

_MOST = 32
"""Masks kept, of 1.1 bytes a row each."""
_FEW_ROWS = 1 << 14
"""Numbers of so many rows are kept as well, 8 bytes each."""


class RowMask:
    """Rows that pass, as of the first `written` writes of the columns. Never changed, so that any thread may have it.

    What is made of the mask is made when it is first asked for, and once but for threads that ask at the same time.
    """

    __slots__ = ("_count", "_numbers", "_selector", "mask", "written")

    def __init__(self, mask: NDArray[np.bool_], written: int) -> None:
        """mask: (rows,), which nobody changes from now on."""
        self.mask = mask
        self.written = written
        self._count = -1
        self._numbers: NDArray[np.int64] | None = None
        self._selector: Any = None

    def __len__(self) -> int:
        """Rows that were looked at."""
        return len(self.mask)

    @property
    def count(self) -> int:
        """Rows that pass."""
        if self._count < 0:
            self._count = int(np.count_nonzero(self.mask))
        return self._count

    @property
    def numbers(self) -> NDArray[np.int64]:
        """Their numbers, ascending; not to be changed."""
        numbers = self._numbers
        if numbers is None:
            numbers = np.flatnonzero(self.mask)
            if len(numbers) <= _FEW_ROWS:
                self._numbers = numbers
        return numbers

    @property
    def selector(self) -> Any:
        """What a scan takes to compare them alone."""
        selector = self._selector
        if selector is None:
            selector = self._selector = selector_of(self.mask)
        return selector


_Key = tuple[Filter | None, bool]


class KeptMasks:
    """By filter and what it was asked of, those asked for last. Any thread, no locks: each step is one of a dict."""

    def __init__(self) -> None:
        self._masks: dict[_Key, RowMask] = {}

    def find(self, key: _Key) -> RowMask | None:
        """As it was kept, to be brought up to date."""
        return self._masks.get(key)

    def keep(self, key: _Key, mask: RowMask) -> None:
        """In the place of what was kept; lets go of the one asked for least lately where they are too many."""
        masks = self._masks
        masks.pop(key, None)
        masks[key] = mask
        if len(masks) > _MOST:
            for oldest in list(masks)[:-_MOST]:
                masks.pop(oldest, None)

    def clear(self) -> None:
        """Forgets all of them, and the filters' texts."""
        self._masks = {}

    @property
    def allocated(self) -> int:
        """Bytes of memory held, about."""
        return sum(len(each) + len(each) // 8 for each in list(self._masks.values()))
