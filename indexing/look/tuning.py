"""A tuning: from base features to the vectors that are searched. Needs numpy alone.

A vector has its blocks one behind the other, each of the same length as its weight's root; behind them, where the
shop's categories can be told from a picture, how probable each is. So the inner product of two vectors is the sum of
what each block says, and a question can weigh them.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from indexing.category.head import CategoryHead
from indexing.learned.half import half
from schemas.features.blocks import CATEGORY, Block, spans

Rows = NDArray[np.float32]

_AT_ONCE = 4096


@dataclass(frozen=True, slots=True)
class TunedBlock:
    """What a block becomes: `directions` (length, k) float32, of which k numbers come, worth `weight` together.

    `items`, `queries` (length,) float32: the mean picture of the catalogue and that of what is asked with, which are
    taken off first. All have the digits of half precision alone.
    """

    block: Block
    weight: float
    directions: Rows
    items: NDArray[np.float32]
    queries: NDArray[np.float32]


@dataclass(frozen=True, slots=True)
class Tuning:
    """Of one extractor's base features. Any thread. `head`: None where categories cannot be told well enough."""

    extractor_id: str
    parts: tuple[TunedBlock, ...]
    head: CategoryHead | None = None

    @property
    def dimension(self) -> int:
        """Numbers of a searched vector."""
        return sum(block.length for block in self.blocks)

    @property
    def blocks(self) -> tuple[Block, ...]:
        """Of a searched vector, in their order in it."""
        found = [Block(part.block.name, part.directions.shape[1]) for part in self.parts]
        if self.head is not None:
            found.append(Block(CATEGORY, len(self.head.names)))
        return tuple(found)

    def items(self, base: Rows) -> Rows:
        """Base features of catalogue pictures (n, base) to (n, dimension) float32 rows of unit length."""
        return self._applied(base, [part.items for part in self.parts])

    def queries(self, base: Rows) -> Rows:
        """The same of photos that are asked with, which differ from the catalogue's as photos do."""
        return self._applied(base, [part.queries for part in self.parts])

    def weighed(self, vectors: Rows, look: Mapping[str, float]) -> Rows:
        """Searched vectors (n, dimension) with blocks that count more or less than they do (1), by their names.

        Raises `ValueError` for a name that there is none of, and where nothing is left.
        """
        names = [block.name for block in self.blocks]
        if unknown := set(look) - set(names):
            raise ValueError(f"no block {sorted(unknown)[0]!r}; there are {', '.join(names)}")
        weighed = vectors.copy()
        for name, span in zip(names, spans(self.blocks), strict=True):
            weighed[:, span] *= np.float32(look.get(name, 1.0))
        if not weighed.any(axis=1).all():
            raise ValueError("of these weights nothing is left to compare by; one must be above 0")
        return unit(weighed)

    def told(self, vector: NDArray[np.float32]) -> list[tuple[str, float]]:
        """The categories of what a searched vector shows, with their probabilities, the most probable first."""
        if self.head is None:
            return []
        part = np.maximum(vector[spans(self.blocks)[-1]].astype(np.float64), 0.0)  # examples may lead away from one
        whole = part.sum()
        if whole <= 0.0:
            return []
        order = np.argsort(-part, kind="stable")
        return [(self.head.names[number], float(part[number] / whole)) for number in order]

    def shares(self, query: NDArray[np.float32], item: NDArray[np.float32]) -> dict[str, float]:
        """What each block adds to the likeness of two searched vectors."""
        return {
            block.name: float(query[span] @ item[span])
            for block, span in zip(self.blocks, spans(self.blocks), strict=True)
        }

    def with_queries(self, means: Sequence[NDArray[np.float32]]) -> Tuning:
        """The same for other queries, by the mean of each block."""
        parts = [replace(part, queries=half(mean)) for part, mean in zip(self.parts, means, strict=True)]
        return replace(self, parts=tuple(parts))

    def with_head(self, head: CategoryHead | None) -> Tuning:
        """The same with categories."""
        return replace(self, head=head)

    def _applied(self, base: Rows, means: Sequence[NDArray[np.float32]]) -> Rows:
        blocks = [part.block for part in self.parts]
        if base.shape[1] != sum(block.length for block in blocks):
            raise ValueError(f"rows of {base.shape[1]} numbers are no base features of {self.extractor_id}")
        whole = sum(part.weight for part in self.parts)
        tuned = np.empty((len(base), self.dimension), np.float32)
        for begin in range(0, len(base), _AT_ONCE):
            at = 0
            rows = slice(begin, begin + _AT_ONCE)
            for part, span, mean in zip(self.parts, spans(blocks), means, strict=True):
                numbers = (base[rows, span] - mean) @ part.directions
                share = np.float32(np.sqrt(part.weight / whole))
                tuned[rows, at : at + numbers.shape[1]] = share * unit(numbers)
                at += numbers.shape[1]
            if self.head is not None:
                tuned[rows, at:] = self.head.shares(base[rows])
        return unit(tuned)


def unit(rows: Rows) -> Rows:
    """Rows divided by their lengths; zeros stay."""
    lengths = np.linalg.norm(rows, axis=1, keepdims=True)
    divided: Rows = rows / np.where(lengths == 0.0, np.float32(1.0), lengths)
    return divided
