"""Variable-width fields of the forward index: an append-only buffer in chunks.

Chunks never move, so a reader needs no lock, growth copies nothing, and a
snapshot can take them by reference. Several rows may refer to one text (the
images of a product to its attributes). Bytes are counted per chunk, once for
every row that refers to them or did: a chunk of which none are in use can go,
and `sparsest` names the one most worth emptying.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

CHUNK_SIZE = 1 << 20
_LONG = 4096
_SHIFT = 32
CHUNK_SPAN = 1 << _SHIFT
"""From an offset in one chunk to the same place in the next."""
_MASK = (1 << _SHIFT) - 1


class TextBuffer:
    """Written by one thread, read by any. An offset is `chunk << 32 | position in the chunk`."""

    def __init__(self, chunks: Sequence[bytes | memoryview] = ()) -> None:
        self._chunks: list[bytes | bytearray | None] = [bytes(chunk) if len(chunk) else None for chunk in chunks]
        self._filled = [len(chunk) for chunk in chunks]
        self._live = [0] * len(chunks)
        self._counted = list(self._filled)
        self._room = 0
        self._total = sum(self._counted)
        self._live_total = 0

    def append(self, data: bytes) -> int:
        """Stores `data` and returns its offset. Writer thread only."""
        size = len(data)
        if size == 0:
            return 0
        if size > self._room:
            # A text larger than a chunk gets a chunk of its own.
            self._room = max(CHUNK_SIZE, size)
            self._chunks.append(bytearray(self._room))
            self._filled.append(0)
            self._live.append(0)
            self._counted.append(0)
        number = len(self._chunks) - 1
        position = self._filled[number]
        chunk = self._chunks[number]
        assert isinstance(chunk, bytearray), "the chunk with room is never dropped"
        chunk[position : position + size] = data
        self._filled[number] = position + size
        self._room -= size
        self._refer(number, size)
        return number << _SHIFT | position

    def share(self, offset: int, size: int) -> None:
        """Counts one row more that refers to a text. Writer thread only."""
        if size:
            self._refer(offset >> _SHIFT, size)

    def _refer(self, number: int, size: int) -> None:
        self._live[number] += size
        self._live_total += size
        self._counted[number] += size
        self._total += size

    def read(self, offset: int, size: int) -> bytes | None:
        """The text, or None when its chunk was dropped since the row was read: read the row again."""
        if size == 0:
            return b""
        chunk = self._chunks[offset >> _SHIFT]
        if chunk is None:
            return None
        position = offset & _MASK
        if size > _LONG:
            return bytes(memoryview(chunk)[position : position + size])  # copied once, not twice
        return bytes(chunk[position : position + size])

    def locate(self, offset: int, size: int) -> tuple[bytes | bytearray | None, int]:
        """The chunk that a text lies in, None when it was dropped, and the position in it. Any thread."""
        return self._chunks[offset >> _SHIFT] if size else b"", offset & _MASK

    def retain(self, offsets: NDArray[np.uint64], sizes: NDArray[np.int64]) -> None:
        """Counts the texts that all rows refer to, after a restore (`append` does it by itself). Writer thread only."""
        used = sizes > 0
        texts, firsts, rows = np.unique(offsets[used], return_index=True, return_counts=True)
        size = sizes[used][firsts]
        numbers = (texts >> np.uint64(_SHIFT)).astype(np.int64)
        live = np.bincount(numbers, weights=size * rows).astype(np.int64).tolist()
        shared = np.bincount(numbers, weights=size * (rows - 1)).astype(np.int64).tolist()
        for number, (in_use, beyond_one) in enumerate(zip(live, shared, strict=True)):
            self._live[number] += in_use
            self._live_total += in_use
            self._counted[number] += beyond_one
            self._total += beyond_one

    def release(self, offset: int, size: int) -> None:
        """Counts one row less that refers to a text. Writer thread only."""
        if size:
            self._live[offset >> _SHIFT] -= size
            self._live_total -= size

    def scrub(self, offsets: NDArray[np.uint64], sizes: NDArray[np.int64]) -> None:
        """Overwrites with zeros what lies outside of these texts, all that are in use. Writer thread only.

        In a copy of each chunk that has such bytes: who reads the chunk, or
        writes it to a file, goes on with the one it has.
        """
        used = sizes > 0
        offsets, sizes = offsets[used], sizes[used]
        numbers, starts = (offsets >> np.uint64(_SHIFT)).astype(np.int64), (offsets & np.uint64(_MASK)).astype(np.int64)
        for number, chunk in enumerate(self._chunks):
            if chunk is None or self._live[number] == self._counted[number]:
                continue
            filled, inside = self._filled[number], numbers == number
            edges = np.zeros(filled + 1, np.int64)
            np.add.at(edges, starts[inside], 1)
            np.add.at(edges, starts[inside] + sizes[inside], -1)
            clean = bytearray(len(chunk))
            found = np.frombuffer(chunk, np.uint8, filled)
            np.frombuffer(clean, np.uint8, filled)[:] = np.where(np.cumsum(edges[:-1]) > 0, found, 0)
            self._chunks[number] = clean

    @property
    def garbage(self) -> float:
        """Share of the counted bytes that no row refers to any more, 0 to 1."""
        return 1.0 - self._live_total / self._total if self._total else 0.0

    @property
    def garbage_bytes(self) -> int:
        """Bytes that no row refers to any more, as often as rows did."""
        return self._total - self._live_total

    @property
    def allocated(self) -> int:
        """Bytes of memory held."""
        return sum(len(chunk) for chunk in self._chunks if chunk is not None)

    def memory(self) -> list[object]:
        """What holds its memory."""
        return list(self._chunks)

    def sparsest(self) -> int | None:
        """The closed chunk with the greatest share of garbage, if any chunk has some. Writer thread only."""
        best, best_share = None, 0.0
        for number in range(len(self._chunks) - 1):
            counted = self._counted[number]
            if self._filled[number] and (share := 1.0 - self._live[number] / counted) > best_share:
                best, best_share = number, share
        return best

    def drop(self, number: int) -> None:
        """Frees a chunk that no row points into any more; a reader in the middle of it keeps it alive."""
        if self._live[number] != 0:
            raise ValueError(f"text chunk {number} still has {self._live[number]} bytes in use")
        self._total -= self._counted[number]
        self._chunks[number] = None
        self._filled[number] = self._counted[number] = 0

    def contents(self) -> list[memoryview]:
        """Every chunk's bytes written so far, by reference (they never change). Writer thread only."""
        return [
            memoryview(b"" if chunk is None else chunk)[:filled]
            for chunk, filled in zip(self._chunks, self._filled, strict=True)
        ]
