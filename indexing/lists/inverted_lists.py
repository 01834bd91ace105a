"""Inverted lists that grow while faiss scans them.

faiss's own lists must not change under a search. These are plain memory of
ours: per list a block of `capacity` codes followed by `capacity` row numbers,
and a table of (tail, capacity, address), which faiss reads through
`OnDiskInvertedLists`, its class for lists that lie in somebody else's memory
(here with base address 0 and no file). One call scans all probed lists in
C++ without the GIL, exactly as a frozen IndexIVFFlat would.

An append writes the entry, then moves the tail: one aligned 8-byte store, so
a scan sees the entry whole or not at all. What a scan could not bear, a list
changing its address, never happens to the table that it holds: a full list is
copied into one of twice the size and published in a new `ListView`; scans
that run already keep the old view, and with it the old memory, alive.

Without centroids the lists are equal segments filled one after the other, all
of them probed: exact search, and growth copies nothing.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from typing import Any

import faiss as _faiss
import numpy as np
from numpy.typing import NDArray

from indexing.lists.view import (
    FIRST_CAPACITY,
    Block,
    ListView,
    MakeIndex,
    Part,
    flat_index,
    new_block,
    segment_rows,
    table_row,
)

faiss: Any = _faiss  # its type stubs lack half of what SWIG exports

_BUILD_BATCH = 1 << 14


def _flat(vectors: NDArray[np.float32]) -> Any:
    index = faiss.IndexFlatIP(vectors.shape[1])
    index.add(vectors)
    return index


class InvertedLists:
    """All vectors of a shard, by list. One thread appends, any thread searches.

    `centroids`: (nlist, dimension) float32, or None for exact search.
    `make_index`: scans what is in the lists; codes that are no vectors have one
    of their own, and `dimension` is then their size in float32 words.
    """

    def __init__(
        self, dimension: int, centroids: NDArray[np.float32] | None = None, make_index: MakeIndex = flat_index
    ) -> None:
        self.dimension = dimension
        self._make_index = make_index
        self.centroids = centroids
        self._segment_rows = segment_rows(dimension)
        self._sizes: list[int] = []
        self._locate(1024)
        self._quantizer = None if centroids is None else _flat(centroids)
        blocks: list[Block] = []
        if centroids is not None:
            blocks = [new_block(0, dimension) for _ in range(len(centroids))]
            self._sizes = [0] * len(centroids)
        self._publish(blocks)

    @classmethod
    def load(
        cls,
        dimension: int,
        centroids: NDArray[np.float32] | None,
        blocks: list[Block],
        sizes: list[int],
        make_index: MakeIndex = flat_index,
    ) -> InvertedLists:
        """Lists over memory (writable) that is there, with `sizes` entries in it; nothing is copied."""
        lists = cls(dimension, centroids, make_index)
        lists._sizes = list(sizes)
        lists._publish(blocks)
        lists._locate_all()
        return lists

    @classmethod
    def build(
        cls,
        dimension: int,
        centroids: NDArray[np.float32],
        parts: Sequence[Part],
        dead: Callable[[NDArray[np.int64]], NDArray[np.bool_]],
        headroom: float,
    ) -> InvertedLists:
        """New lists around `centroids` from the entries of others, in batches, without the rows that are `dead`.

        headroom: free space of each list, as a part of its entries.
        """
        lists = cls(dimension, centroids)
        nlist = len(centroids)
        batches = [
            (codes[start : start + _BUILD_BATCH], ids[start : start + _BUILD_BATCH])
            for codes, ids in parts
            for start in range(0, len(ids), _BUILD_BATCH)
        ]
        # Dead rows go to a list too many, which is not built.
        assigned = [np.where(dead(ids), nlist, lists.assign(codes)) for codes, ids in batches]
        counts = sum((np.bincount(numbers, minlength=nlist + 1) for numbers in assigned), np.zeros(nlist + 1, np.int64))
        capacities = (counts[:nlist] * (1 + headroom)).astype(np.int64) + 2 & ~1
        blocks = [new_block(capacity, dimension) for capacity in capacities.tolist()]
        for (codes, ids), numbers in zip(batches, assigned, strict=True):
            order = np.argsort(numbers, kind="stable")
            ends = np.cumsum(np.bincount(numbers, minlength=nlist + 1))
            for number in np.unique(numbers).tolist():
                if number < nlist:
                    chosen = order[ends[number - 1] if number else 0 : ends[number]]
                    size = lists._sizes[number]
                    blocks[number].codes[size : size + len(chosen)] = codes[chosen]
                    blocks[number].ids[size : size + len(chosen)] = ids[chosen]
                    lists._sizes[number] = size + len(chosen)
        lists._publish(blocks)
        lists._locate_all()
        return lists

    def _locate_all(self) -> None:
        parts = self.parts()
        rows = 1 + max((int(ids.max()) for _, ids in parts if len(ids)), default=0)
        self._locate(max(1024, rows))
        for number, (_, ids) in enumerate(parts):
            self._place[ids] = np.arange(len(ids), dtype=np.int32)
            self._list[ids] = number

    def _locate(self, rows: int) -> None:
        """Room to say of so many rows in which list (-1: in none) and at which place of it they lie.

        Each in an array of its own: what asks for the lists of thousands of rows reads half as much.
        """
        self._list = np.full(rows, -1, dtype=np.int32)
        self._place = np.zeros(rows, dtype=np.int32)

    def _publish(self, blocks: list[Block], table: NDArray[np.uint64] | None = None) -> ListView:
        """A new view of these blocks for searches from now on; those that run keep the one they have."""
        if table is None:
            rows = [table_row(size, block) for size, block in zip(self._sizes, blocks, strict=True)]
            table = np.array(rows, dtype=np.uint64).reshape(-1, 3)
        quantizer = self._quantizer
        if quantizer is None:
            # Segments have no meaning to be near to: equal scores for all, and all are probed.
            quantizer = _flat(np.zeros((len(blocks), self.dimension), dtype=np.float32))
        self._view = ListView(self.dimension, quantizer, blocks, table, self._make_index)
        return self._view

    @property
    def kind(self) -> str:
        """exact or ivf_flat."""
        return "exact" if self.centroids is None else "ivf_flat"

    def rebuilt(
        self,
        centroids: NDArray[np.float32],
        parts: Sequence[Part],
        dead: Callable[[NDArray[np.int64]], NDArray[np.bool_]],
        headroom: float,
    ) -> InvertedLists:
        """New lists around other centroids; see `build`."""
        return self.build(self.dimension, centroids, parts, dead, headroom)

    def __len__(self) -> int:
        """Number of lists."""
        return len(self._sizes)

    @property
    def entries(self) -> int:
        """Vectors held, those of dead rows included."""
        return sum(self._sizes)

    @property
    def allocated(self) -> int:
        """Bytes of memory held, free space included; lists mapped from a file are the kernel's to drop, and no part."""
        held = (block.buffer for block in self._view.blocks if not isinstance(block.buffer, np.memmap))
        return sum(buffer.nbytes for buffer in held) + self._list.nbytes + self._place.nbytes

    def memory(self) -> list[object]:
        """What holds its memory, in pieces."""
        return list(self._view.blocks)

    def assign(self, vectors: NDArray[np.float32]) -> list[int]:
        """The list that each vector belongs to; -1 (the open segment) before training. Any thread."""
        if self._quantizer is None:
            return [-1] * len(vectors)
        _, nearest = self._quantizer.search(vectors, 1)
        numbers: list[int] = nearest[:, 0].tolist()
        return numbers

    def placed(self, vectors: NDArray[np.float32]) -> tuple[list[int], NDArray[np.float32] | None]:
        """What `append` takes: the list of each vector, and their codes where there are any. Any thread."""
        return self.assign(vectors), None

    def append(
        self, list_number: int, row: int, vector: NDArray[np.float32], code: NDArray[np.float32] | None = None
    ) -> None:
        """Adds a row's vector to a list (as `placed` said). Writer thread only; a row is added once."""
        if list_number < 0:
            list_number = len(self._sizes) - 1
            if list_number < 0 or self._sizes[list_number] == self._view.blocks[list_number].capacity:
                list_number = self._add_segment()
        view = self._view
        size = self._sizes[list_number]
        if size == view.blocks[list_number].capacity:
            view = self._grow(list_number)
        block = view.blocks[list_number]
        block.codes[size] = vector
        block.ids[size] = row
        view.table[list_number, 0] = size + 1
        self._sizes[list_number] = size + 1
        if row >= len(self._list):
            lists, places = self._list, self._place
            more = max(row + 1 - len(lists), len(lists))
            # The places first, here and below: where a list is told, its place is.
            self._place = np.concatenate((places, np.zeros(more, dtype=np.int32)))
            self._list = np.concatenate((lists, np.full(more, -1, dtype=np.int32)))
        self._place[row] = size
        self._list[row] = list_number

    def erase(self, rows: Iterable[int]) -> None:
        """Overwrites the vectors of these rows, where they have any, with zeros, in place. Writer thread only.

        Of rows that no search may return: a scan may see half of it. Nobody writes `parts` to a file meanwhile.
        """
        for row in rows:
            vector = self.vector(row)
            if vector is not None:
                vector[:] = 0

    def _add_segment(self) -> int:
        blocks = [*self._view.blocks, new_block(self._segment_rows, self.dimension)]
        self._sizes.append(0)
        self._publish(blocks)
        return len(blocks) - 1

    def _grow(self, list_number: int) -> ListView:
        size = self._sizes[list_number]
        full = self._view.blocks[list_number]
        block = new_block(max(FIRST_CAPACITY, 2 * size), self.dimension)
        block.codes[:size] = full.codes[:size]
        block.ids[:size] = full.ids[:size]
        blocks = list(self._view.blocks)
        blocks[list_number] = block
        table = self._view.table.copy()
        table[list_number] = table_row(size, block)
        return self._publish(blocks, table)

    def vector(self, row: int) -> NDArray[np.float32] | None:
        """A row's vector (not copied, never changes but by `erase`), or None when it has none. Any thread."""
        lists = self._list
        if row >= len(lists) or (list_number := int(lists[row])) < 0:
            return None
        place = int(self._place[row])
        vector: NDArray[np.float32] = self._view.blocks[list_number].codes[place]
        return vector

    def vectors(self, rows: NDArray[np.int64]) -> NDArray[np.float32]:
        """Copies of these rows' vectors, (n, dimension); each row must have one. Any thread."""
        lists = self._list.take(rows)
        places = self._place.take(rows)
        # The view after them: whatever they say has a place in it.
        return self._view.entries(lists, places)

    narrows = False
    """Whether `compare` heeds `most`."""
    gathered = 3072
    """Rows up to which `compare` costs less than a scan that passes by all others."""

    def nearest(self, query: NDArray[np.float32], rows: NDArray[np.int64], most: int) -> NDArray[np.int64]:
        """`most` of these rows, ascending as they are: in the lists nearest to the query (dimension,). Any thread.

        Some more where the last list has more of them; all where there are no
        more, `most` is 0, or lists have no centroids to be near to.
        """
        if most <= 0 or len(rows) <= most or self.centroids is None:
            return rows
        scores = (self.centroids @ query).take(self._list.take(rows))
        least = np.partition(scores, len(rows) - most)[len(rows) - most]
        return rows.take(np.flatnonzero(scores >= least))

    def compare(
        self, vectors: NDArray[np.float32], k: int, rows: NDArray[np.int64], most: int = 0
    ) -> tuple[NDArray[np.float32], NDArray[np.int64]]:
        """As `scan`, among these rows alone, each of which must have a vector. Any thread.

        most: of more rows, so many of those in the nearest lists, where it `narrows`; 0: all of them.
        """
        if not len(rows):
            # There may be no list at all yet.
            return best_of(np.empty((len(vectors), 0), dtype=np.float32), rows, k)
        return best_of(vectors @ self.vectors(rows).T, rows, k)

    def scan(
        self, vectors: NDArray[np.float32], k: int, selector: Any, nprobe: int, most: int = 0
    ) -> tuple[NDArray[np.float32], NDArray[np.int64]]:
        """Scores and row numbers, (n, k) each, best first, -1 where there are no more. Any thread.

        most: ends once so many rows were compared, those that the selector leaves out not counted; 0: all are.
        """
        view = self._view
        count = len(view.blocks)
        if count == 0:
            empty = np.full((len(vectors), k), -1, dtype=np.int64)
            return np.full((len(vectors), k), -np.inf, dtype=np.float32), empty
        if self._quantizer is None:
            return view.scan(vectors, k, selector, count, 0)
        return view.scan(vectors, k, selector, min(nprobe, count), most)

    def exactly(
        self, vectors: NDArray[np.float32], k: int, selector: Any
    ) -> tuple[NDArray[np.float32], NDArray[np.int64]]:
        """The best there are, as `scan`: every list is looked through. Any thread."""
        return self.scan(vectors, k, selector, max(1, len(self)))

    def parts(self) -> Sequence[Part]:
        """Every list's entries as far as written now; not copied, never changes. Any thread."""
        return self._view.parts()


def best_of(
    scores: NDArray[np.float32], rows: NDArray[np.int64], k: int
) -> tuple[NDArray[np.float32], NDArray[np.int64]]:
    """The best `k` of rows by their scores (n, rows), as `InvertedLists.scan` gives them."""
    best = np.full((len(scores), k), -np.inf, dtype=np.float32)
    numbers = np.full((len(scores), k), -1, dtype=np.int64)
    for i, line in enumerate(scores):
        chosen = np.arange(len(rows)) if len(rows) <= k else np.argpartition(-line, k - 1)[:k]
        order = chosen[np.lexsort((rows[chosen], -line[chosen]))]
        best[i, : len(order)], numbers[i, : len(order)] = line[order], rows[order]
    return best, numbers
