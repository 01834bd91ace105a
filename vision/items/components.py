"""What hangs together in a mask, found by runs: the stretches of set pixels in each row."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

Mask = NDArray[np.bool_]


class Component(NamedTuple):
    """Pixels that hang together by their sides: rows and columns `top` to `bottom`, `left` to `right`, and how many."""

    top: int
    left: int
    bottom: int
    right: int
    pixels: int
    runs: NDArray[np.intp]
    """(n, 3): row, first column, column behind the last."""

    def mask(self, margin: int, height: int, width: int) -> tuple[slice, slice, Mask]:
        """Rows and columns of a picture with up to `margin` around it, and where in them it is."""
        rows = slice(max(0, self.top - margin), min(height, self.bottom + margin))
        columns = slice(max(0, self.left - margin), min(width, self.right + margin))
        mask = np.zeros((rows.stop - rows.start, columns.stop - columns.start), np.bool_)
        for row, first, behind in self.runs - [rows.start, columns.start, columns.start]:
            mask[row, first:behind] = True
        return rows, columns, mask


def components(mask: Mask, least: float = 1.0) -> list[Component]:
    """Those of a mask (height, width) that have `least` pixels, in the order of their first ones."""
    edges = np.diff(np.pad(mask, ((0, 0), (1, 1))).astype(np.int8), axis=1)
    row, first = np.nonzero(edges == 1)
    behind = np.nonzero(edges == -1)[1]
    runs = np.stack([row, first, behind], axis=1)
    label = _labels(runs, mask.shape[1] + 1)
    large = np.bincount(label, weights=behind - first)[label] >= least if len(runs) else label > 0
    runs, label = runs[large], label[large]
    order = np.argsort(label, kind="stable")
    cuts = np.flatnonzero(np.diff(label[order])) + 1
    found = []
    for own in np.split(runs[order], cuts) if len(runs) else ():
        (top, left, _), (bottom, _, right) = own.min(axis=0), own.max(axis=0)
        pixels = int((own[:, 2] - own[:, 1]).sum())
        found.append(Component(int(top), int(left), int(bottom) + 1, int(right), pixels, own))
    return found


def _labels(runs: NDArray[np.intp], stride: int) -> NDArray[np.intp]:
    """Of each run the number of the first one that it hangs together with."""
    row, first, behind = runs.T
    # Of the next row those that begin before this one ends, and end after it begins: runs are in order.
    low = np.searchsorted(row * stride + behind, (row + 1) * stride + first, side="right")
    high = np.searchsorted(row * stride + first, (row + 1) * stride + behind, side="left")
    touching = np.maximum(high - low, 0)
    one = np.repeat(np.arange(len(runs)), touching)
    other = np.arange(touching.sum()) - np.repeat(np.cumsum(touching) - touching, touching) + np.repeat(low, touching)
    label = np.arange(len(runs))
    while True:
        least = np.minimum(label[one], label[other])
        before = label.copy()
        np.minimum.at(label, one, least)
        np.minimum.at(label, other, least)
        label = np.asarray(label[label], np.intp)
        if np.array_equal(label, before):
            return label


def grown(mask: Mask) -> Mask:
    """With its neighbours by their sides."""
    wider = mask.copy()
    wider[1:] |= mask[:-1]
    wider[:-1] |= mask[1:]
    wider[:, 1:] |= mask[:, :-1]
    wider[:, :-1] |= mask[:, 1:]
    return wider


def opened(mask: Mask) -> Mask:
    """Without what is thinner than three pixels."""
    return grown(~grown(~mask)) & mask
