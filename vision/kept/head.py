"""The heads of `vision.encoding.encoders` without PyTorch: the same arithmetic on the same arrays."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence

import numpy as np
from numpy.typing import NDArray

from vision.extractor import COLOUR_WEIGHT, MIDDLE_WEIGHT

Floats = NDArray[np.float32]
_TINY = 1e-12
"""As PyTorch's `normalize` has it."""


class KeptHead:
    """Joins a backbone's features, and in composites and base features the colour, into one unit vector. Any thread.

    `arrays`: `table` and `spread` of the histogram, and `white_cell` and
    `least_foreground`; `projection` of a composite, `faintest` of base features;
    of another encoder none.
    """

    def __init__(self, arrays: Mapping[str, NDArray[np.generic]]) -> None:
        self._projection = np.asarray(arrays["projection"], np.float32) if "projection" in arrays else None
        self._faintest = float(arrays["faintest"]) if "faintest" in arrays else None
        if arrays:
            self._table = np.asarray(arrays["table"], np.int32)
            self._spread = np.asarray(arrays["spread"], np.float32)
            self._white_cell, self._least = int(arrays["white_cell"]), float(arrays["least_foreground"])

    def __call__(self, images: NDArray[np.uint8], features: Sequence[Floats]) -> Floats:
        """`images` (n, size, size, 3) and what the backbone made of them, to (n, dimension) of unit length."""
        last = _unit(features[0])
        if self._faintest is not None:
            wide, covariance = features[1:]
            parts = (np.sqrt(wide), _logarithm(covariance, self._faintest), self._colour(images))
            return _unit(np.concatenate([last, *map(_unit, parts)], axis=1).astype(np.float32, copy=False))
        if self._projection is None:
            return last
        middle = features[1]
        rooted = _unit(np.sign(middle) * np.sqrt(np.abs(middle)))
        joined = np.concatenate([last, MIDDLE_WEIGHT * rooted, COLOUR_WEIGHT * self._colour(images)], axis=1)
        return _unit(joined.astype(np.float32, copy=False) @ self._projection)

    def _colour(self, images: NDArray[np.uint8]) -> Floats:
        """See `vision.encoding.colour.ColourHistogram`."""
        cells = len(self._spread)
        grid = np.stack([self._counted(image) for image in images]).reshape(-1, cells, cells, cells)
        for _ in range(3):
            grid = np.tensordot(grid, self._spread, axes=([1], [0]))
        return _unit(np.sqrt(grid.reshape(len(images), -1)))

    def _counted(self, image: NDArray[np.uint8]) -> Floats:
        code = (image >> 3).astype(np.int32)
        cell = self._table[(code[..., 0] << 10) | (code[..., 1] << 5) | code[..., 2]].ravel()
        white = len(self._spread) ** 3
        count = np.bincount(cell, minlength=white + 1).astype(np.float32)
        foreground = count[:white]
        if foreground.sum() / len(cell) < self._least:
            foreground[self._white_cell] += count[white]
        return foreground


def _logarithm(covariance: Floats, faintest: float) -> Floats:
    """See `vision.blocks.head.logarithm`."""
    size = math.isqrt(covariance.shape[1])
    matrices = covariance.reshape(-1, size, size)
    energy = np.maximum(matrices.diagonal(axis1=1, axis2=2).mean(axis=1), _TINY)
    values, vectors = np.linalg.eigh(matrices / energy[:, None, None])
    logarithms = np.log(np.maximum(values, 0.0) + np.float32(faintest))
    whole = (vectors * logarithms[:, None, :]) @ vectors.transpose(0, 2, 1)
    rows, columns = np.triu_indices(size)
    return np.asarray(whole[:, rows, columns] * np.where(rows == columns, 1.0, math.sqrt(2.0)), np.float32)


def _unit(rows: Floats) -> Floats:
    lengths = np.maximum(np.linalg.norm(rows, axis=1, keepdims=True), _TINY)
    return np.asarray(rows / lengths, np.float32)
