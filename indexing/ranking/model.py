"""A learned order: trees whose leaves add up to a score, in a form that numpy walks.

LightGBM grows them; to load it costs two seconds and 100 MB (with pandas and SciPy), which a blender has no use for.
The walk is QuickScorer (Lucchese et al., "QuickScorer: a fast algorithm to rank documents with additive ensembles of
regression trees", SIGIR 2015): a comparison that fails strikes out the leaves to its left, and the first leaf that
is left is the one. What a feature strikes out of all trees depends only on between which thresholds it lies, so that
a product is a table's row for each of its features.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

import msgspec
import numpy as np
from numpy.typing import NDArray

from indexing.learned.sealed import BUILD_ANEW, Sealed
from indexing.ranking.features import FEATURES, FIT

LEAVES = 16
"""Of a tree at most: one bit each."""
MOST_TREES = 1_000
_ALL = np.uint16(0xFFFF)


@dataclass(frozen=True, slots=True)
class Splits:
    """Comparisons of all trees. A product whose `features[i]` is above `thresholds[i]` keeps of tree `trees[i]` the
    leaves that are bits of `kept[i]`."""

    features: NDArray[np.uint8]
    trees: NDArray[np.uint16]
    thresholds: NDArray[np.float64]
    kept: NDArray[np.uint16]


@dataclass(frozen=True, slots=True)
class RankModel:
    """`leaves` (trees, 16): what each leaf adds, from left to right. `least`: of each feature of fit, see `within`."""

    features_id: str
    splits: Splits
    leaves: NDArray[np.float64]
    least: NDArray[np.float64]
    _tables: list[tuple[NDArray[np.float64], NDArray[np.uint16]]] = field(init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        tables = [_table(self.splits, number, len(self.leaves)) for number in range(len(FEATURES))]
        object.__setattr__(self, "_tables", tables)

    def raw(self, rows: NDArray[np.float32]) -> NDArray[np.float64]:
        """(n,): what the trees add up to, of rows of `features.matrix`. Says an order, nothing by its size."""
        left = np.full((len(rows), len(self.leaves)), _ALL)
        for number, (thresholds, kept) in enumerate(self._tables):
            if len(thresholds):
                left &= kept[np.searchsorted(thresholds, rows[:, number].astype(np.float64), side="left")]
        each = self.leaves[np.arange(len(self.leaves)), _FIRST[left]]
        added: NDArray[np.float64] = each.sum(axis=1)
        return added

    def within(self, rows: NDArray[np.float32]) -> NDArray[np.bool_]:
        """(n,): whether it fits as well, by any list, as what the model was learned from.

        Of what fits less than anything that was ever shown, nobody's clicks say anything. A question that only filters
        has no fit, and is answered by the rest.
        """
        fit = rows[:, : len(FIT)].astype(np.float64)
        enough = ((fit >= self.least) & (fit > 0.0)).any(axis=1)
        inside: NDArray[np.bool_] = enough | ~fit.any(axis=1)
        return inside


def _table(splits: Splits, number: int, trees: int) -> tuple[NDArray[np.float64], NDArray[np.uint16]]:
    """Of one feature: its thresholds, ascending, and by how many of them are below it the leaves that are left."""
    mine = np.flatnonzero(splits.features == number)
    thresholds = np.unique(splits.thresholds[mine])
    kept = np.full((len(thresholds) + 1, trees), _ALL)
    places = np.searchsorted(thresholds, splits.thresholds[mine]) + 1
    np.bitwise_and.at(kept, (places, splits.trees[mine]), splits.kept[mine])
    return thresholds, np.bitwise_and.accumulate(kept, axis=0)


def _first_bits() -> NDArray[np.uint8]:
    """By 16 bits: the number of the lowest that is set."""
    numbers = np.arange(1 << LEAVES)
    lowest = numbers & -numbers
    return np.where(numbers == 0, 0, np.log2(np.maximum(lowest, 1))).astype(np.uint8)


_FIRST = _first_bits()


class _Stored(msgspec.Struct, frozen=True, array_like=True):
    """Little endian, as the arrays of `RankModel` name them."""

    features_id: str
    count: int
    features: bytes
    trees: bytes
    thresholds: bytes
    kept: bytes
    leaves: bytes
    least: bytes


_sealed = Sealed(b"VTRM\x01", _Stored, "the learned order", BUILD_ANEW)


def encode_model(model: RankModel) -> bytes:
    """The same model gives the same bytes."""
    splits = model.splits
    return _sealed.write(
        _Stored(
            model.features_id,
            len(model.leaves),
            splits.features.astype("u1").tobytes(),
            splits.trees.astype("<u2").tobytes(),
            splits.thresholds.astype("<f8").tobytes(),
            splits.kept.astype("<u2").tobytes(),
            model.leaves.astype("<f8").tobytes(),
            model.least.astype("<f8").tobytes(),
        )
    )


def decode_model(data: bytes) -> RankModel:
    """Raises `CorruptError` for bytes that `encode_model` did not write."""
    return _sealed.read(data, _model)


def _model(stored: _Stored) -> RankModel:
    splits = Splits(
        _array(stored.features, "u1"),
        _array(stored.trees, "<u2"),
        _array(stored.thresholds, "<f8"),
        _array(stored.kept, "<u2"),
    )
    leaves = _array(stored.leaves, "<f8").reshape(stored.count, LEAVES)
    least = _array(stored.least, "<f8").reshape(len(FIT))
    _check(splits, stored.count)
    return RankModel(stored.features_id, splits, leaves, least)


def _check(splits: Splits, trees: int) -> None:
    """Raises `ValueError` for splits that no model of so many trees has."""
    lengths = {len(splits.features), len(splits.trees), len(splits.thresholds), len(splits.kept)}
    if len(lengths) != 1 or not 0 < trees <= MOST_TREES:
        raise ValueError(f"{trees} trees, splits of {sorted(lengths)}")
    if lengths != {0} and (splits.features.max() >= len(FEATURES) or splits.trees.max() >= trees):
        raise ValueError("a split of a feature or a tree that there is none of")


def _array(data: bytes, kind: str) -> NDArray[Any]:
    found: NDArray[Any] = np.frombuffer(data, kind)
    return found.astype(found.dtype.newbyteorder("="))
