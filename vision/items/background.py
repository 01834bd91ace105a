"""How far each place of a photo is from its edge, in colours: what belongs to the background is near.

Geodesic saliency (Wei et al., "Geodesic saliency using background priors", 2012): the cheapest way from the photo's
border to a place, where each step costs the difference of the colours it passes. Steps that the border itself is full
of, the grain of wood or cloth, cost nothing.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageFilter

SIDE = 128
"""Longer side, in pixels, of what is looked at."""
_CHROMA = 2.0
"""Weight of colour beside that of brightness."""
_BAND = 0.05
"""Width of the border that tells of the background, as a part of the longer side."""
_GRAIN = 90.0
"""Percentile of the steps in that band that are taken for its grain."""
_LEAST_GRAIN, _MOST_GRAIN = 2.0, 12.0
_ROUNDS = 2

Plane = NDArray[np.float32]


def small(image: Image.Image) -> Image.Image:
    """What is looked at: RGB, its longer side `SIDE` pixels at most, its grain smoothed."""
    scale = min(1.0, SIDE / max(image.size))
    size = (max(1, round(image.width * scale)), max(1, round(image.height * scale)))
    return image.resize(size, Image.Resampling.BOX, reducing_gap=2.0).filter(ImageFilter.MedianFilter(3))


def distances(picture: Image.Image) -> Plane:
    """Of what `small` gives: the way from the border to each pixel (height, width), in levels of 0..255."""
    colours = np.asarray(picture.convert("YCbCr"), np.float32) * np.array([1.0, _CHROMA, _CHROMA], np.float32)
    down = np.linalg.norm(np.diff(colours, axis=0), axis=2)
    across = np.linalg.norm(np.diff(colours, axis=1), axis=2)
    grain = _grain(down, across)
    down, across = np.maximum(down - grain, 0.0), np.maximum(across - grain, 0.0)
    return _from_border(down, across)


def _grain(down: Plane, across: Plane) -> float:
    height, width = across.shape[0], down.shape[1]
    band = max(2, round(_BAND * max(height, width)))
    steps = [down[:band], down[-band:], down[:, :band], down[:, -band:]]
    steps += [across[:band], across[-band:], across[:, :band], across[:, -band:]]
    taken = np.concatenate([each.ravel() for each in steps])
    if not len(taken):  # of a single pixel
        return _LEAST_GRAIN
    return float(np.clip(np.percentile(taken, _GRAIN), _LEAST_GRAIN, _MOST_GRAIN))


def _from_border(down: Plane, across: Plane) -> Plane:
    """Rows are swept downwards and upwards; within one, the way along it is a running minimum."""
    height, width = across.shape[0], down.shape[1]
    way = np.full((height, width), np.inf, np.float32)
    way[[0, -1]] = 0.0
    way[:, [0, -1]] = 0.0
    along = np.zeros((height, width), np.float32)
    np.cumsum(across, axis=1, out=along[:, 1:])
    for _ in range(_ROUNDS):
        for row in range(1, height):
            _pass(way, along, row, row - 1, down[row - 1])
        for row in range(height - 2, -1, -1):
            _pass(way, along, row, row + 1, down[row])
    return way


def _pass(way: Plane, along: Plane, row: int, before: int, steps: Plane) -> None:
    here, passed = way[row], along[row]
    np.minimum(here, way[before] + steps, out=here)
    np.minimum(here, passed + np.minimum.accumulate(here - passed), out=here)
    np.minimum(here, np.minimum.accumulate((here + passed)[::-1])[::-1] - passed, out=here)
