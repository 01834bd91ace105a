"""`vision.encoders.Head` without PyTorch: the same arithmetic on the same arrays."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
from numpy.typing import NDArray

from vision.extractor import COLOUR_WEIGHT, MIDDLE_WEIGHT

Floats = NDArray[np.float32]
_TINY = 1e-12
"""As PyTorch's `normalize` has it."""


class KeptHead:
    """Joins a backbone's features (and, in a composite, the colour) into one unit vector. Any thread.

    `arrays`: `table`, `spread` and `projection` of the head that it stands for,
    `white` (cell, least share) of its histogram; without a composite none.
    """

    def __init__(self, arrays: Mapping[str, NDArray[np.generic]]) -> None:
        self._composite = bool(arrays)
        if self._composite:
            self._table = np.asarray(arrays["table"], np.int32)
            self._spread = np.asarray(arrays["spread"], np.float32)
            self._projection = np.asarray(arrays["projection"], np.float32)
            self._white_cell, self._least = int(arrays["white_cell"]), float(arrays["least_foreground"])

    def __call__(self, images: NDArray[np.uint8], features: Sequence[Floats]) -> Floats:
        """`images` (n, size, size, 3) and what the backbone made of them, to (n, dimension) of unit length."""
        last = _unit(features[0])
        if not self._composite:
            return last
        middle = features[1]
        rooted = _unit(np.sign(middle) * np.sqrt(np.abs(middle)))
        joined = np.concatenate([last, MIDDLE_WEIGHT * rooted, COLOUR_WEIGHT * self._colour(images)], axis=1)
        return _unit(joined.astype(np.float32, copy=False) @ self._projection)

    def _colour(self, images: NDArray[np.uint8]) -> Floats:
        """See `vision.colour.ColourHistogram`."""
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


def _unit(rows: Floats) -> Floats:
    lengths = np.maximum(np.linalg.norm(rows, axis=1, keepdims=True), _TINY)
    return np.asarray(rows / lengths, np.float32)
