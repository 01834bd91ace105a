"""The validity bitmap: one bit a row, read by faiss while it scans."""

from __future__ import annotations

from typing import Any

import faiss
import numpy as np
from numpy.typing import NDArray


def selector_of(rows: NDArray[np.bool_]) -> Any:
    """What a scan takes to compare these rows alone; rows: one value a row from row 0 on, further ones are left out."""
    bits = np.packbits(rows, bitorder="little")
    selector: Any = faiss.IDSelectorBitmap(len(bits), faiss.swig_ptr(bits))
    selector.bits = bits  # the selector holds a bare pointer: this keeps the memory alive with it
    return selector


class ValidityBitmap:
    """Written by one thread bit by bit; `selector` hands the live memory to any number of scans.

    A scan sees a removal as soon as the bit is cleared. When the bitmap grows,
    scans that run already go on with the old memory; what they find is checked
    against the forward index afterwards, as every result is.
    """

    def __init__(self, rows: int = 0) -> None:
        self._publish(np.zeros(max(1 << 13, (rows + 7) // 8), dtype=np.uint8))

    def _publish(self, bits: NDArray[np.uint8]) -> None:
        selector: Any = faiss.IDSelectorBitmap(len(bits), faiss.swig_ptr(bits))
        selector.bits = bits  # the selector holds a bare pointer: this keeps the memory alive with it
        self._bits = bits
        self.selector = selector

    def reserve(self, rows: int) -> None:
        """Makes room for row numbers below `rows`, doubling. Writer thread only."""
        if rows > len(self._bits) * 8:
            bits = np.zeros(max(len(self._bits) * 2, (rows + 7) // 8), dtype=np.uint8)
            bits[: len(self._bits)] = self._bits
            self._publish(bits)

    def set(self, row: int) -> None:
        """Writer thread only."""
        self._bits[row >> 3] |= 1 << (row & 7)

    def clear(self, row: int) -> None:
        """Writer thread only."""
        self._bits[row >> 3] &= 0xFF ^ (1 << (row & 7))

    def load(self, bits: NDArray[np.uint8]) -> None:
        """Takes over a snapshot's bitmap."""
        loaded = np.zeros(max(1 << 13, len(bits)), dtype=np.uint8)
        loaded[: len(bits)] = bits
        self._publish(loaded)

    def copy(self, rows: int) -> NDArray[np.uint8]:
        """The bits of the first `rows` rows. Writer thread only."""
        return self._bits[: (rows + 7) // 8].copy()

    def holds(self, rows: NDArray[np.int64]) -> NDArray[np.bool_]:
        """Which of these rows' bits are set, as they are now, shape (n,). Any thread."""
        held: NDArray[np.bool_] = (self._bits[rows >> 3] >> (rows & 7).astype(np.uint8)) & 1 == 1
        return held

    @property
    def allocated(self) -> int:
        """Bytes of memory held."""
        return self._bits.nbytes
