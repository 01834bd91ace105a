"""A shard's contents at one moment, as plain arrays: what snapshots and builders write and searchers load."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from indexing.lists.codec import Codec
from indexing.lists.kinds import IndexKind
from schemas.deltas.delta import Progress


class VectorRows(Protocol):
    """Vectors (n, dimension) float32, sliced while they are written: an array, or what gathers them only then."""

    def __len__(self) -> int: ...

    def __getitem__(self, part: slice, /) -> NDArray[np.float32]: ...


@dataclass(slots=True)
class ShardContents:
    """Everything a shard is made of.

    rows: records of `forward.ROW_DTYPE`, the row number is the position.
    validity: one bit a row, little-endian within a byte.
    texts: chunks of the text buffer; an offset is chunk << 32 | position.
    lists: per inverted list (vectors (n, dimension) float32, row numbers (n,)
    int64). centroids: (number of lists, dimension) float32, None for exact
    search. codec, codes: of a coded kind; per list (codes as words (n, width)
    float32, row numbers), of the same rows as lists. refusals: by image id, see
    `indexing.shard.refusals`. categories, brands: names
    by code. A live shard hands out texts, lists and codes by reference: they are
    append-only, what is here does not change before the shard's next `scrub`.
    """

    extractor_id: str
    dimension: int
    rows: NDArray[Any]
    validity: NDArray[np.uint8]
    texts: Sequence[bytes | memoryview]
    lists: Sequence[tuple[VectorRows, NDArray[np.int64]]]
    centroids: NDArray[np.float32] | None
    categories: list[str]
    brands: list[str]
    nprobe: int = 1
    progress: list[Progress] = field(default_factory=list)
    watermark_ms: int = 0
    training: dict[str, Any] = field(default_factory=dict)
    codec: Codec | None = None
    codes: Sequence[tuple[VectorRows, NDArray[np.int64]]] = ()
    refusals: Mapping[bytes, int] = field(default_factory=dict)

    @property
    def kind(self) -> IndexKind:
        """What the lists are scanned by."""
        if self.codec is not None:
            return self.codec.kind
        return IndexKind.EXACT if self.centroids is None else IndexKind.IVF_FLAT
