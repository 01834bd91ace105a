"""Bytes that a builder sets aside: appended to a file, mapped once all are there."""

from __future__ import annotations

from pathlib import Path
from types import TracebackType
from typing import Any

import numpy as np
from numpy.typing import NDArray

from indexing.rows.text_buffer import CHUNK_SIZE

_BUFFER_BYTES = 1 << 16
_SHIFT = 32


class Spool:
    """A file beside the shard that is being built. One thread.

    Mapped pages are the kernel's to drop, so that what lies in a spool never
    counts against the memory that a build needs.
    """

    def __init__(self, path: Path) -> None:
        self._path = path
        self._file = path.open("wb", buffering=_BUFFER_BYTES)
        self.size = 0

    def append(self, data: bytes | memoryview) -> None:
        self._file.write(data)
        self.size += len(data)

    def mapped(self, *, writable: bool = False) -> NDArray[np.uint8]:
        """All that was appended; nothing can be appended any more. `writable`: to change in place, also in the file."""
        self._file.close()
        if not self.size:
            return np.empty(0, dtype=np.uint8)
        return np.memmap(self._path, dtype=np.uint8, mode="r+" if writable else "r")

    def __enter__(self) -> Spool:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._file.close()
        self._path.unlink(missing_ok=True)


class TextSpool:
    """Texts over a spool, with the offsets that `indexing.rows.text_buffer.TextBuffer` would give them."""

    def __init__(self, spool: Spool) -> None:
        self._spool = spool
        self._chunks: list[int] = []
        self._room = 0

    def append(self, data: bytes) -> int:
        """Stores `data` and returns its offset: chunk << 32 | position in the chunk."""
        size = len(data)
        if size == 0:
            return 0
        if size > self._room:
            self._room = max(CHUNK_SIZE, size)
            self._chunks.append(0)
        number = len(self._chunks) - 1
        position = self._chunks[number]
        self._chunks[number] = position + size
        self._room -= size
        self._spool.append(data)
        return number << _SHIFT | position

    def chunks(self) -> list[memoryview]:
        """Every chunk's bytes; nothing can be appended any more."""
        memory: Any = self._spool.mapped().data
        ends = np.cumsum(self._chunks, dtype=np.int64).tolist()
        return [memory[end - size : end] for end, size in zip(ends, self._chunks, strict=True)]
