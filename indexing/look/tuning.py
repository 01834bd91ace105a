"""A tuning: from base features to the vectors that are searched. Needs numpy alone."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from schemas.features.blocks import Block, spans

Rows = NDArray[np.float32]

_AT_ONCE = 4096
_NO_LOOK: Mapping[str, float] = {}


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
    """Of one extractor's base features. Any thread."""

    extractor_id: str
    parts: tuple[TunedBlock, ...]

    @property
    def dimension(self) -> int:
        """Numbers of a searched vector."""
        return sum(part.directions.shape[1] for part in self.parts)

    def items(self, base: Rows) -> Rows:
        """Base features of catalogue pictures (n, base) to (n, dimension) float32 rows of unit length."""
        return self._applied(base, [part.items for part in self.parts], _NO_LOOK)

    def queries(self, base: Rows, look: Mapping[str, float] = _NO_LOOK) -> Rows:
        """The same of photos that are asked with, which differ from the catalogue's as photos do.

        `look`: what a block counts beside what it was given here (1), by its
        name; 0 leaves it out. Raises `ValueError` for a name that there is none of.
        """
        return self._applied(base, [part.queries for part in self.parts], look)

    def with_queries(self, means: Sequence[NDArray[np.float32]]) -> Tuning:
        """The same for other queries, by the mean of each block."""
        parts = [replace(part, queries=half(mean)) for part, mean in zip(self.parts, means, strict=True)]
        return Tuning(self.extractor_id, tuple(parts))

    def _applied(self, base: Rows, means: Sequence[NDArray[np.float32]], look: Mapping[str, float]) -> Rows:
        blocks = [part.block for part in self.parts]
        if unknown := set(look) - {block.name for block in blocks}:
            raise ValueError(f"no block {sorted(unknown)[0]!r}; there are {', '.join(block.name for block in blocks)}")
        if base.shape[1] != sum(block.length for block in blocks):
            raise ValueError(f"rows of {base.shape[1]} numbers are no base features of {self.extractor_id}")
        whole = sum(part.weight for part in self.parts)
        tuned = np.empty((len(base), self.dimension), np.float32)
        for begin in range(0, len(base), _AT_ONCE):
            at = 0
            rows = slice(begin, begin + _AT_ONCE)
            for part, span, mean in zip(self.parts, spans(blocks), means, strict=True):
                numbers = (base[rows, span] - mean) @ part.directions
                share = np.float32(np.sqrt(part.weight / whole) * look.get(part.block.name, 1.0))
                tuned[rows, at : at + numbers.shape[1]] = share * unit(numbers)
                at += numbers.shape[1]
        return unit(tuned)


def unit(rows: Rows) -> Rows:
    """Rows divided by their lengths; zeros stay."""
    lengths = np.linalg.norm(rows, axis=1, keepdims=True)
    divided: Rows = rows / np.where(lengths == 0.0, np.float32(1.0), lengths)
    return divided


def half(values: NDArray[Any]) -> NDArray[np.float32]:
    """What half precision can hold of them: what a tuning is made of, so that its bytes are it."""
    held: NDArray[np.float32] = values.astype("<f2").astype(np.float32)
    return held
