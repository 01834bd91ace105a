"""Reading a shard's files: once, in pieces, straight into the memory that the shard keeps, and checked on the way.

A searcher loads a generation while it answers from another. Reading, hashing
and freeing in pieces lets queries in between; what is read into its place is
neither copied nor there twice, and its pages are there before the first query.
"""

from __future__ import annotations

import os
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from hashlib import blake2b
from itertools import accumulate
from pathlib import Path
from typing import IO, Any

import numpy as np
from numpy.typing import NDArray

from indexing.lists.view import Block, Part, block_bytes, block_over
from indexing.rows.forward import CHUNK_ROWS, ROW_DTYPE
from schemas.errors import CorruptError
from schemas.full_index.manifest import ShardFile

_STEP = 4 << 20
"""Bytes that are read and then hashed by one call each, so that the GIL is seldom wanted back."""
MEMORY_BYTES = (32 << 20) + 4096
"""Lists share allocations of about this size, or have one of their own when they are larger.

The C library maps every allocation above 32 MiB by itself, so that freeing one
gives its pages back at once, and takes a few milliseconds.
"""


class CheckedFile:
    """A file as it was written: all of it is read, in order, or `CorruptError` says what is wrong with it."""

    def __init__(self, path: Path, file: IO[bytes]) -> None:
        self.path = path
        self._file = file
        self._checksum = blake2b(digest_size=16)

    def into(self, memory: NDArray[Any]) -> None:
        """Fills `memory` (contiguous) with what comes next."""
        view = memory.view(np.uint8).data
        for start in range(0, len(view), _STEP):
            step = view[start : start + _STEP]
            if self._file.readinto(step) != len(step):  # type: ignore[attr-defined]
                raise CorruptError(f"{self.path} ends early")
            self._checksum.update(step)

    def bytes(self, size: int) -> bytes:
        """The next `size` bytes."""
        found = self._file.read(size)
        self._checksum.update(found)
        return found

    def skim(self) -> None:
        """Reads what is left and keeps nothing of it."""
        buffer = memoryview(bytearray(_STEP))
        while size := self._file.readinto(buffer):  # type: ignore[attr-defined]
            self._checksum.update(buffer[:size])

    def check(self, expected: str) -> None:
        """Raises `CorruptError` unless all was read and is what was written."""
        if self._file.read(1):
            raise CorruptError(f"{self.path} is longer than what the manifest and the layout say of it")
        if self._checksum.hexdigest() != expected:
            raise CorruptError(f"{self.path} does not match its checksum")


@contextmanager
def checked(path: Path, expected: ShardFile) -> Iterator[CheckedFile]:
    """The file, to be read to its end; compared with its size before and its checksum after."""
    try:
        file = path.open("rb", buffering=0)
    except FileNotFoundError as error:
        raise CorruptError(f"{path} is missing") from error
    with file:
        size = os.fstat(file.fileno()).st_size
        if size != expected.size:
            raise CorruptError(f"{path} has {size} bytes instead of {expected.size}")
        reading = CheckedFile(path, file)
        yield reading
        reading.check(expected.checksum)


def read_array(path: Path, expected: ShardFile) -> NDArray[np.uint8]:
    """The whole file."""
    memory = np.empty(expected.size, dtype=np.uint8)
    with checked(path, expected) as file:
        file.into(memory)
    return memory


def read_rows(path: Path, expected: ShardFile) -> tuple[list[NDArray[Any]], int]:
    """(records in arrays of `CHUNK_ROWS`, how many they are); what is behind the last is zero."""
    count, rest = divmod(expected.size, ROW_DTYPE.itemsize)
    if rest:
        raise ValueError(f"{path.name} holds no whole records")
    arrays = []
    with checked(path, expected) as file:
        for first in range(0, count, CHUNK_ROWS):
            arrays.append(np.zeros(CHUNK_ROWS, dtype=ROW_DTYPE))
            file.into(arrays[-1][: count - first])
    return arrays, count


def read_texts(path: Path, expected: ShardFile, sizes: Sequence[int]) -> list[bytes]:
    """Chunks of these sizes."""
    if sum(sizes) != expected.size:
        raise ValueError("sizes of the text chunks do not sum up")
    with checked(path, expected) as file:
        return [file.bytes(size) for size in sizes]


def map_texts(path: Path, sizes: Sequence[int]) -> list[memoryview]:
    """The same of the mapped file, of which nothing is read or checked."""
    ends = list(accumulate(sizes))
    if (ends[-1] if ends else 0) != path.stat().st_size:
        raise ValueError("sizes of the text chunks do not sum up")
    memory = _mapped(path).data
    return [memory[end - size : end] for end, size in zip(ends, sizes, strict=True)]


def read_blocks(path: Path, expected: ShardFile, capacities: Sequence[int], width: int) -> list[Block]:
    """Lists of these capacities with codes of `width` float32 words."""
    _check_capacities(expected.size, capacities, width)
    blocks: list[Block] = []
    with checked(path, expected) as file:
        for together in _shared(capacities, width):
            memory = np.empty(sum(block_bytes(capacity, width) for capacity in together), dtype=np.uint8)
            file.into(memory)
            blocks += _over(memory, together, width)
    return blocks


def map_blocks(path: Path, capacities: Sequence[int], width: int) -> list[Block]:
    """The same over the mapped file, of which nothing is read or checked.

    Copy-on-write: lists want memory that they may append to, the file stays as it is.
    """
    _check_capacities(path.stat().st_size, capacities, width)
    return _over(_mapped(path), capacities, width)


def read_entries(path: Path, width: int, sizes: Sequence[int], capacities: Sequence[int]) -> Iterator[Part]:
    """What lies in each list of a file just written, list by list; checks no checksum.

    Read and not mapped: of mapped lists all would count as this process's
    memory by the end. Raises `CorruptError` for a file that ends too early.
    """
    with path.open("rb") as file:
        for size, capacity in zip(sizes, capacities, strict=True):
            memory = np.empty(block_bytes(capacity, width), dtype=np.uint8)
            if file.readinto(memory.data) != len(memory):
                raise CorruptError(f"{path} is shorter than its lists; see what else writes there, and build anew")
            block = block_over(memory, width)
            yield block.codes[:size], block.ids[:size]


def _mapped(path: Path) -> NDArray[np.uint8]:
    return np.memmap(path, dtype=np.uint8, mode="c") if path.stat().st_size else np.empty(0, dtype=np.uint8)


def _check_capacities(size: int, capacities: Sequence[int], width: int) -> None:
    if sum(block_bytes(capacity, width) for capacity in capacities) != size:
        raise ValueError("capacities of the lists do not sum up")


def _shared(capacities: Sequence[int], width: int) -> Iterator[list[int]]:
    """Capacities of consecutive lists that share an allocation."""
    together: list[int] = []
    size = 0
    for capacity in capacities:
        together.append(capacity)
        size += block_bytes(capacity, width)
        if size >= MEMORY_BYTES:
            yield together
            together, size = [], 0
    if together:
        yield together


def _over(memory: NDArray[np.uint8], capacities: Sequence[int], width: int) -> list[Block]:
    blocks, start = [], 0
    for capacity in capacities:
        end = start + block_bytes(capacity, width)
        blocks.append(block_over(memory[start:end], width))
        start = end
    return blocks
