"""Lists that are scanned by code and ranked by vector: ivf_pca, ivf_sq8 and ivf_pq.

Two sets of inverted lists with the same rows: codes, in memory, which a scan
goes over, and the vectors themselves, which only the best of a scan are
compared with again. Of a kind that is `mapped`, vectors loaded from files stay
on disk; those that deltas bring are in memory until the next snapshot is loaded.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Sequence
from typing import Any, TypeAlias

import numpy as np
from numpy.typing import NDArray

from indexing.lists.codec import Codec
from indexing.lists.inverted_lists import InvertedLists
from indexing.lists.kinds import IndexKind
from indexing.lists.projection import ByteProjection, Projection
from indexing.lists.view import Block, Part, new_block

_CANDIDATES = {IndexKind.IVF_PCA: 4, IndexKind.IVF_SQ8: 4, IndexKind.IVF_PQ: 16}
"""How many times the wanted number of rows a scan by code brings to be ranked again."""
_LEAST_CANDIDATES = 64
_OF_ALL_LISTS = 8
"""How many times those a scan brings of which exactly the best are wanted, where vectors are on disk."""
_GATHERED_CODES = 1 << 14
_ENCODED_ROWS = 1 << 12


class CodedLists:
    """What `InvertedLists` promises, for a coded kind. One thread appends, any thread searches."""

    def __init__(self, codec: Codec, vectors: InvertedLists, codes: InvertedLists) -> None:
        """codes: of `codec.width` words, scanned by `codec.make_index`, with the rows of `vectors`."""
        self.codec = codec
        self._vectors = vectors
        self._codes = codes
        self.effort = 1.0
        """How many times as many rows as otherwise are ranked again. Any thread may set it."""

    @classmethod
    def over(cls, codec: Codec, vectors: InvertedLists) -> CodedLists:
        """Codes for the vectors of lists that nobody appends to meanwhile."""
        parts = vectors.parts()
        sizes = [len(ids) for _, ids in parts]
        capacities = [(size + (size >> 2) + 2) & ~1 for size in sizes]
        blocks = [new_block(capacity, codec.width) for capacity in capacities]
        for (stored, ids), block in zip(parts, blocks, strict=True):
            block.ids[: len(ids)] = ids
            for first in range(0, len(ids), _ENCODED_ROWS):
                encoded = codec.encode(stored[first : first + _ENCODED_ROWS])
                block.codes[first : first + len(encoded)] = encoded
        return cls(codec, vectors, codes_over(codec, vectors.centroids, blocks, sizes))

    @property
    def kind(self) -> str:
        """ivf_pca, ivf_sq8 or ivf_pq."""
        return self.codec.kind.value

    @property
    def dimension(self) -> int:
        return self._vectors.dimension

    @property
    def centroids(self) -> NDArray[np.float32] | None:
        """(number of lists, dimension)."""
        return self._vectors.centroids

    def __len__(self) -> int:
        """Number of lists."""
        return len(self._vectors)

    @property
    def entries(self) -> int:
        """Vectors held, those of dead rows included."""
        return self._vectors.entries

    @property
    def allocated(self) -> int:
        """Bytes of memory held: codes, and the vectors that came by deltas."""
        return self._vectors.allocated + self._codes.allocated

    def memory(self) -> list[object]:
        """What holds its memory, in pieces."""
        return [*self._vectors.memory(), *self._codes.memory()]

    def assign(self, vectors: NDArray[np.float32]) -> list[int]:
        """The list that each vector belongs to. Any thread."""
        return self._codes.assign(self.codec.scanned(vectors))

    def placed(self, vectors: NDArray[np.float32]) -> tuple[list[int], NDArray[np.float32] | None]:
        """See `InvertedLists.placed`: all in one go, which costs a small part of one at a time."""
        scanned = self.codec.scanned(vectors)
        return self._codes.assign(scanned), self.codec.encode_scanned(scanned)

    def append(
        self, list_number: int, row: int, vector: NDArray[np.float32], code: NDArray[np.float32] | None = None
    ) -> None:
        """Adds a row's vector and code. Writer thread only; a row is added once."""
        if code is None:
            code = self.codec.encode(vector[None])[0]
        # The vector first: a row that a scan finds by its code can be ranked.
        self._vectors.append(list_number, row, vector)
        self._codes.append(list_number, row, code)

    def erase(self, rows: Iterable[int]) -> None:
        """Overwrites vectors and codes of these rows, see `InvertedLists.erase`. Of mapped files the copy in memory."""
        rows = list(rows)
        self._vectors.erase(rows)
        self._codes.erase(rows)

    def vector(self, row: int) -> NDArray[np.float32] | None:
        """A row's vector, or None when it has none. Any thread."""
        return self._vectors.vector(row)

    def vectors(self, rows: NDArray[np.int64]) -> NDArray[np.float32]:
        """Copies of these rows' vectors, (n, dimension); each row must have one. Any thread."""
        return self._vectors.vectors(rows)

    def scan(
        self, vectors: NDArray[np.float32], k: int, selector: Any, nprobe: int, most: int = 0
    ) -> tuple[NDArray[np.float32], NDArray[np.int64]]:
        """Exact scores and row numbers of the best by code, (n, k) each, best first, -1 at the end. Any thread.

        most: see `InvertedLists.scan`.
        """
        _, candidates = self._codes.scan(self.codec.scanned(vectors), self._candidates(k), selector, nprobe, most)
        return self._ranked(vectors, k, candidates)

    @property
    def narrows(self) -> bool:
        """See `InvertedLists.narrows`: where a row's code is two cache lines, and compared as it lies there."""
        return isinstance(self.codec, ByteProjection)

    @property
    def gathered(self) -> int:
        """See `InvertedLists.gathered`."""
        return _GATHERED_CODES if self.narrows else self._vectors.gathered

    def compare(
        self, vectors: NDArray[np.float32], k: int, rows: NDArray[np.int64], most: int = 0
    ) -> tuple[NDArray[np.float32], NDArray[np.int64]]:
        """See `InvertedLists.compare`; of many rows the best by code are compared exactly, where codes can be."""
        candidates = self._candidates(k)
        if len(rows) <= candidates or not isinstance(self.codec, Projection | ByteProjection):
            return self._vectors.compare(vectors, k, rows)
        found = np.empty((len(vectors), candidates), dtype=np.int64)
        for i, query in enumerate(self.codec.scanned(vectors)):
            near = self._codes.nearest(query, rows, max(most, candidates) if most and self.narrows else 0)
            scores = self.codec.scores(query, self._codes.vectors(near))
            found[i] = near[np.argpartition(scores, len(near) - candidates)[-candidates:]]
        return self._ranked(vectors, k, found)

    def exactly(
        self, vectors: NDArray[np.float32], k: int, selector: Any
    ) -> tuple[NDArray[np.float32], NDArray[np.int64]]:
        """See `InvertedLists.exactly`; where vectors are on disk by all codes, since reading them all would push out
        what queries need."""
        if not self.codec.kind.mapped:
            return self._vectors.exactly(vectors, k, selector)
        most = min(_OF_ALL_LISTS * self._candidates(k), max(k, self.entries))
        return self._ranked(vectors, k, self._codes.exactly(self.codec.scanned(vectors), most, selector)[1])

    def _candidates(self, k: int) -> int:
        """Rows that are ranked exactly, for the best `k`."""
        wanted = math.ceil(self.effort * max(_LEAST_CANDIDATES, k * _CANDIDATES[self.codec.kind]))
        return min(wanted, max(k, self.entries))

    def _ranked(
        self, vectors: NDArray[np.float32], k: int, candidates: NDArray[np.int64]
    ) -> tuple[NDArray[np.float32], NDArray[np.int64]]:
        scores = np.full((len(vectors), k), -np.inf, dtype=np.float32)
        rows = np.full((len(vectors), k), -1, dtype=np.int64)
        for i, found in enumerate(candidates):
            found = found[found >= 0]
            if not len(found):
                continue
            exact = self.vectors(found) @ vectors[i]
            order = np.lexsort((found, -exact))[:k]
            scores[i, : len(order)], rows[i, : len(order)] = exact[order], found[order]
        return scores, rows

    def parts(self) -> Sequence[Part]:
        """Every list's vectors as far as written now; not copied, never changes. Any thread."""
        return self._vectors.parts()

    def code_parts(self) -> Sequence[Part]:
        """Every list's codes, as words; writer idle: of the same rows as `parts`."""
        return self._codes.parts()

    def rebuilt(
        self,
        centroids: NDArray[np.float32],
        parts: Sequence[Part],
        dead: Callable[[NDArray[np.int64]], NDArray[np.bool_]],
        headroom: float,
    ) -> CodedLists:
        """New lists of this kind around other centroids, with the codec there is; see `InvertedLists.build`."""
        return self.over(self.codec, InvertedLists.build(self.dimension, centroids, parts, dead, headroom))


def codes_over(
    codec: Codec, centroids: NDArray[np.float32] | None, blocks: list[Block], sizes: list[int]
) -> InvertedLists:
    """Lists of codes over memory that is there; `centroids`: of whole vectors."""
    scanned = None if centroids is None else codec.scanned(centroids)
    return InvertedLists.load(codec.width, scanned, blocks, sizes, codec.make_index)


Lists: TypeAlias = InvertedLists | CodedLists
"""What a shard keeps its vectors in."""
