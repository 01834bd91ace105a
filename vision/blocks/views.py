"""Views: altered copies of a prepared picture, as another photograph of the same thing might have come out.

What stays the same over them is what tells a product from others. Other
light, another cut and angle, mirrored, and another background in place of white.
"""

from __future__ import annotations

import math
from collections.abc import Iterator

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageEnhance

from vision.pictures.preprocess import fit_on_white, locate_item

Picture = NDArray[np.uint8]

_WHITE = 236
"""Channel value from which on a pixel counts as background."""
_LEAST_WHITE = 0.15
"""Share of a picture that must be white for its background to be replaced."""
_GRID = 4
"""A new background is a blurred field of so many colours a side."""
_LEAST_SIDE = 16


def views(picture: Picture, count: int, seed: int, number: int) -> Iterator[Picture]:
    """`count` views of a prepared picture (size, size, 3) uint8, each of its size. Thread-safe.

    `number`: the picture's own; with the seed it says what is altered, whatever pictures come before it.
    """
    random = np.random.default_rng([seed, number])
    for _ in range(count):
        yield _view(picture, random)


def _view(picture: Picture, random: np.random.Generator) -> Picture:
    size = len(picture)
    if random.random() < 0.33:
        picture = _with_background(picture, random)
    image = Image.fromarray(picture)
    if random.random() < 0.4:
        angle = random.uniform(-20.0, 20.0)
        image = image.rotate(angle, Image.Resampling.BILINEAR, fillcolor=(255, 255, 255))
    if random.random() < 0.8:
        image = image.crop(_cut(size, random))
    image = fit_on_white(locate_item(image), size)  # as every picture is prepared
    if random.random() < 0.5:
        image = image.transpose(Image.Transpose.FLIP_LEFT_RIGHT)
    image = ImageEnhance.Brightness(image).enhance(random.uniform(0.75, 1.2))
    image = ImageEnhance.Contrast(image).enhance(random.uniform(0.8, 1.2))
    image = ImageEnhance.Color(image).enhance(random.uniform(0.8, 1.2))
    if random.random() < 0.5:
        gains = random.uniform(0.92, 1.08, 3).astype(np.float32)
        return (np.asarray(image) * gains).clip(0, 255).astype(np.uint8)
    return np.array(image)


def _with_background(picture: Picture, random: np.random.Generator) -> Picture:
    """White replaced by a soft mixture of colours; as it is where little is white."""
    white = picture.min(axis=2) >= _WHITE
    if white.mean() < _LEAST_WHITE:
        return picture
    spread = random.uniform(0.0, 60.0)
    colours = random.uniform(0, 255, 3) + random.normal(0.0, 1.0, (_GRID, _GRID, 3)) * spread
    small = Image.fromarray(colours.clip(0, 255).astype(np.uint8))
    field = np.asarray(small.resize(picture.shape[:2], Image.Resampling.BICUBIC))
    return np.where(white[:, :, None], field, picture)


def _cut(size: int, random: np.random.Generator) -> tuple[int, int, int, int]:
    """Left, top, right, bottom of a part of the picture: a fifth of its area to all of it, not far from square."""
    area, aspect = random.uniform(0.2, 1.0), math.exp(random.uniform(-0.3, 0.3))
    width = min(size, max(_LEAST_SIDE, round(size * math.sqrt(area * aspect))))
    height = min(size, max(_LEAST_SIDE, round(size * math.sqrt(area / aspect))))
    left, top = int(random.integers(0, size - width + 1)), int(random.integers(0, size - height + 1))
    return left, top, left + width, top + height
