"""Makes the table by which a colour histogram tells names (`schemas.features.colours`)."""

from __future__ import annotations

import numpy as np
import torch
from numpy.typing import NDArray

from benchmarks.colours.centroids import CENTROIDS
from schemas.features.colours.told import NAMES
from vision.encoding.colour import WHITE_CELL, ColourHistogram, lab

_RIDGE = 1e-3
_VIVID = 8.0
"""Chroma at which a colour counts a third of a grey: most of what is sold, and worn, is not vivid."""
_LEAST = 0.05
_UNIT = 1024
_AT_ONCE = 2048

Rows = NDArray[np.float64]


def made_table() -> NDArray[np.int16]:
    """(512, twice the names): the linear map by which the names of all colours come out right, in `_UNIT`s."""
    level = torch.arange(32, dtype=torch.float64) * 8 + 4
    rgb = torch.stack(torch.meshgrid(level, level, level, indexing="ij"), -1).reshape(-1, 3)
    colours = lab(rgb).numpy()
    spread = _histograms(ColourHistogram())
    chroma = np.hypot(colours[:, 1], colours[:, 2])
    weights = (np.exp(-chroma / _VIVID) + _LEAST)[:, None]
    told = np.eye(2 * len(NAMES))[_names(colours) + len(NAMES) * looks_like_skin(colours)]
    square = (spread * weights).T @ spread
    square += _RIDGE * np.trace(square) / len(square) * np.eye(len(square))
    found = np.linalg.solve(square, (spread * weights).T @ told)
    table: NDArray[np.int16] = np.round(found * _UNIT).astype(np.int16)
    return table


def looks_like_skin(colours: Rows) -> NDArray[np.bool_]:
    """Of Lab (n, 3): light to dark skin in studio light; and wood, leather, sand and camel hair as well."""
    lightness, chroma = colours[:, 0], np.hypot(colours[:, 1], colours[:, 2])
    hue = np.degrees(np.arctan2(colours[:, 2], colours[:, 1]))
    found: NDArray[np.bool_] = (lightness > 30) & (lightness < 88) & (chroma > 8) & (chroma < 35)
    found &= (hue > 30) & (hue < 75)
    return found


def _histograms(histogram: ColourHistogram) -> Rows:
    """(32,768, 512): what one pixel of each colour becomes there."""
    cells, spread = histogram.table.numpy(), histogram.spread.numpy().astype(np.float64)
    fine = len(spread)
    cells = np.where(cells == fine**3, WHITE_CELL, cells)  # as a picture that is white all over
    parts = spread[cells // fine**2], spread[cells // fine % fine], spread[cells % fine]
    histograms: Rows = np.einsum("ni,nj,nk->nijk", *parts).reshape(len(cells), -1)
    return histograms


def _names(colours: Rows) -> NDArray[np.intp]:
    """Of Lab (n, 3), the place in `NAMES` of the nearest centroid's."""
    texts = [(place, text) for place, name in enumerate(NAMES) for text in CENTROIDS[name].split()]
    places = np.array([place for place, _ in texts])
    known = lab(torch.tensor([[*bytes.fromhex(text)] for _, text in texts], dtype=torch.float64)).numpy()
    found = np.empty(len(colours), np.intp)
    for start in range(0, len(colours), _AT_ONCE):
        rows = slice(start, start + _AT_ONCE)
        found[rows] = places[((colours[rows, None] - known) ** 2).sum(axis=2).argmin(axis=1)]
    return found
