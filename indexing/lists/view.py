"""What one scan holds: blocks of memory under a faiss index, of which only the tails move."""

from __future__ import annotations

import ctypes
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, TypeAlias, overload

import faiss as _faiss
import numpy as np
from numpy.typing import NDArray

faiss: Any = _faiss  # its type stubs lack half of what SWIG exports

_ID_SIZE = 8

MakeIndex: TypeAlias = Callable[[Any, int, int], Any]
"""(quantizer, float32 words of a code, lists) -> a trained faiss IndexIVF by inner product that scans such codes."""


Part: TypeAlias = tuple[NDArray[np.float32], NDArray[np.int64]]
"""Entries of one list: vectors (n, dimension) and row numbers (n,)."""


@dataclass(slots=True)
class Block:
    """Memory of one list: `codes` (capacity, dimension) float32 and `ids` (capacity,) int64 in one buffer."""

    buffer: NDArray[np.uint8]
    codes: NDArray[np.float32]
    ids: NDArray[np.int64]

    @property
    def capacity(self) -> int:
        return len(self.ids)


def block_over(buffer: NDArray[np.uint8], dimension: int) -> Block:
    capacity = len(buffer) // (dimension * 4 + _ID_SIZE)
    codes_end = capacity * dimension * 4
    return Block(
        buffer, buffer[:codes_end].view(np.float32).reshape(capacity, dimension), buffer[codes_end:].view(np.int64)
    )


FIRST_CAPACITY = 16
"""Vectors that a new list has room for."""
SEGMENT_BYTES = 4 << 20


def segment_rows(dimension: int) -> int:
    """Vectors of one segment of an exact shard: an even number, some 4 MiB with their row numbers."""
    return max(FIRST_CAPACITY, SEGMENT_BYTES // block_bytes(1, dimension) & ~1)


def block_bytes(capacity: int, dimension: int) -> int:
    """Memory of a list: its codes, then its row numbers."""
    return capacity * (dimension * 4 + _ID_SIZE)


def new_block(capacity: int, dimension: int) -> Block:
    block = block_over(np.empty(block_bytes(capacity, dimension), dtype=np.uint8), dimension)
    block.ids.fill(-1)  # free entries select nothing
    return block


def flat_index(quantizer: Any, width: int, lists: int) -> Any:
    """A faiss index without lists of its own that scans vectors of `width` numbers."""
    return faiss.IndexIVFFlat(quantizer, width, lists, faiss.METRIC_INNER_PRODUCT, False)


class ListView:
    """A fixed set of blocks, searched by faiss. The writer moves `table[list, 0]`, the tails, and nothing else."""

    def __init__(
        self,
        dimension: int,
        quantizer: Any,
        blocks: list[Block],
        table: NDArray[np.uint64],
        make_index: MakeIndex = flat_index,
    ) -> None:
        """table: a row (tail, capacity, address) per block; it is copied into faiss's own."""
        self.blocks = blocks
        self._lists = faiss.OnDiskInvertedLists()
        self._lists.prefetch_nthread = 0
        self._lists.nlist = len(blocks)
        self._lists.code_size = dimension * 4
        self._lists.lists.resize(len(blocks))
        self.table = _table(self._lists, len(blocks))
        self.table[:] = table
        self._index = make_index(quantizer, dimension, len(blocks))
        self._index.replace_invlists(self._lists, False)
        self._index.is_trained = True
        self._parameters: tuple[Any, int, int, Any] = (None, 0, 0, None)
        self._width = dimension
        self._by_address: tuple[int, NDArray[np.void]] | None = None

    def entries(self, lists: NDArray[np.int32], places: NDArray[np.int32]) -> NDArray[np.float32]:
        """Copies of the codes at these places of these lists, (n, dimension). Any thread.

        Gathered in one call by their addresses: a candidate at a time, Python
        would take longer over them than faiss over the scan that found them.
        """
        first, codes = self._by_address or self._addressed()
        self._by_address = first, codes
        size = 4 * self._width
        addresses = self.table[lists, 2].astype(np.int64) + np.multiply(places, size, dtype=np.int64)
        gathered: NDArray[np.float32] = codes[addresses - first >> 2].view(np.float32)
        return gathered.reshape(len(places), self._width)

    def _addressed(self) -> tuple[int, NDArray[np.void]]:
        """(address of the first block, an array with a code at every fourth byte from there to the last block)."""
        size = 4 * self._width
        starts, ends = self.table[:, 2], self.table[:, 2] + self.table[:, 1] * np.uint64(size)
        first = int(starts.min())
        return first, np.asarray(_Memory(first, int(ends.max()) - first, size))

    def parts(self) -> Sequence[Part]:
        """Every block's entries as far as written now; not copied, never changes. Any thread."""
        return _Parts(self.blocks, np.minimum(self.table[:, 0], self.table[:, 1]).tolist())

    def scan(
        self, vectors: NDArray[np.float32], k: int, selector: Any, nprobe: int, most: int = 0
    ) -> tuple[NDArray[np.float32], NDArray[np.int64]]:
        """Scores and row numbers, (n, k) each. The caller keeps `selector` and this view alive meanwhile.

        most: see `InvertedLists.scan`; faiss counts what its selector lets through.
        """
        known_selector, known_nprobe, known_most, parameters = self._parameters
        if known_selector is not selector or known_nprobe != nprobe or known_most != most:
            parameters = faiss.SearchParametersIVF()
            parameters.sel = selector
            parameters.nprobe = nprobe
            parameters.max_codes = most
            self._parameters = selector, nprobe, most, parameters
        scores = np.empty((len(vectors), k), dtype=np.float32)
        rows = np.empty((len(vectors), k), dtype=np.int64)
        self._index.search_c(
            len(vectors), faiss.swig_ptr(vectors), k, faiss.swig_ptr(scores), faiss.swig_ptr(rows), parameters
        )
        return scores, rows


class _Parts(Sequence[Part]):
    """What blocks held at one moment, sliced only when it is read: a writer waits for their sizes alone."""

    def __init__(self, blocks: Sequence[Block], sizes: Sequence[int]) -> None:
        self._blocks = blocks
        self._sizes = sizes

    def __len__(self) -> int:
        return len(self._blocks)

    @overload
    def __getitem__(self, number: int) -> Part: ...

    @overload
    def __getitem__(self, number: slice) -> Sequence[Part]: ...

    def __getitem__(self, number: int | slice) -> Part | Sequence[Part]:
        if isinstance(number, slice):
            return _Parts(self._blocks[number], self._sizes[number])
        block, size = self._blocks[number], self._sizes[number]
        return block.codes[:size], block.ids[:size]


class _Memory:
    """What numpy needs to know of memory that belongs to somebody else: codes of `size` bytes, four bytes apart.

    Most of them are none, and the gaps between blocks need not even be mapped:
    only what lies at the address of a code may be read.
    """

    def __init__(self, first: int, span: int, size: int) -> None:
        self.__array_interface__ = {
            "version": 3,
            "data": (first, True),
            "typestr": f"|V{size}",
            "shape": (max(0, (span - size) // 4 + 1),),
            "strides": (4,),
        }


def table_row(size: int, block: Block) -> tuple[int, int, int]:
    """(tail, capacity, address) of a block, as faiss reads them."""
    return size, block.capacity, block.buffer.ctypes.data


def _table(lists: Any, count: int) -> NDArray[np.uint64]:
    """The memory of a vector of faiss::OnDiskOneList {size_t size, capacity, offset}, shape (count, 3)."""
    if count == 0:
        return np.empty((0, 3), dtype=np.uint64)
    address = int(lists.lists.data().this)
    memory = (ctypes.c_uint64 * (3 * count)).from_address(address)
    table: NDArray[np.uint64] = np.ctypeslib.as_array(memory).reshape(count, 3)
    table[-1] = (count, 0, 0)
    if lists.list_size(count - 1) != count:
        raise RuntimeError(f"faiss {faiss.__version__} lays OnDiskInvertedLists out differently: use faiss 1.13-1.15")
    return table
