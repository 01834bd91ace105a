"""Scenes by a seed: an item that is asked for, beside one to three others, on a drawn background or a photograph."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from random import Random

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageFilter
from scipy import ndimage

from sample.backgrounds import background
from schemas.query.box import Box

DRAWN = ("grey", "paper", "room", "wood", "linen", "marble")
_SIZES = ((640, 480), (480, 640), (640, 640))
_WHITE = 236
_LEAST_WHITE = 0.9
"""Of a picture's edge: then its item can be cut out."""
_CELLS = {2: ((2, 1), (1, 2)), 3: ((3, 1), (2, 2)), 4: ((2, 2),)}
"""Columns and rows that so many items share a scene in."""


@dataclass(frozen=True, slots=True)
class Scene:
    """A photo as a shopper takes it, where the item in it is, and what all the items are."""

    image: Image.Image
    box: Box
    others: tuple[Box, ...]


def cut_out(file: Path) -> Image.Image | None:
    """The item of a studio picture, RGBA, without its white; None where its edge is not white."""
    with Image.open(file) as opened:
        image = opened.convert("RGB")
    white = np.asarray(image).min(axis=2) >= _WHITE
    edge = np.concatenate([white[0], white[-1], white[:, 0], white[:, -1]])
    if edge.mean() < _LEAST_WHITE:
        return None
    parts, _ = ndimage.label(white)
    outer = np.unique(np.concatenate([parts[0], parts[-1], parts[:, 0], parts[:, -1]]))
    item = ~np.isin(parts, outer[outer > 0])
    if not 0.03 <= item.mean() <= 0.95:
        return None
    mask = Image.fromarray((ndimage.binary_erosion(item) * 255).astype(np.uint8)).filter(ImageFilter.GaussianBlur(0.7))
    image.putalpha(mask)
    bounds = mask.getbbox()
    return image.crop(bounds) if bounds else None


def drawn_scene(item: Image.Image, others: Sequence[Image.Image], behind: str | Path, random: Random) -> Scene:
    """Every item has a place of its own; that which is asked for is the largest in its place.

    behind: the name of a drawn background, or a photograph's file.
    """
    size = random.choice(_SIZES)
    canvas = _background(behind, size, random)
    count = 1 + len(others)
    columns, rows = random.choice(_CELLS[count])
    if columns != rows and (size[0] > size[1]) != (columns > rows):
        columns, rows = rows, columns
    cells = random.sample([(column, row) for row in range(rows) for column in range(columns)], count)
    wide, high = size[0] / columns, size[1] / rows
    boxes = []
    for number, (picture, (column, row)) in enumerate(zip((item, *others), cells, strict=True)):
        share = random.uniform(0.78, 0.92) if number == 0 else random.uniform(0.5, 0.75)
        scale = share * min(wide / picture.width, high / picture.height)
        shown = picture.resize(
            (max(8, round(picture.width * scale)), max(8, round(picture.height * scale))), Image.Resampling.LANCZOS
        )
        left = round(column * wide + random.uniform(0.15, 0.85) * (wide - shown.width))
        top = round(row * high + random.uniform(0.15, 0.85) * (high - shown.height))
        canvas.paste(shown, (left, top), shown)
        boxes.append(Box(left / size[0], top / size[1], (left + shown.width) / size[0], (top + shown.height) / size[1]))
    return Scene(canvas, boxes[0], tuple(boxes[1:]))


def _background(behind: str | Path, size: tuple[int, int], random: Random) -> Image.Image:
    if isinstance(behind, Path):
        with Image.open(behind) as opened:
            photograph = opened.convert("RGB")
        scale = max(size[0] / photograph.width, size[1] / photograph.height)
        large = photograph.resize(
            (max(size[0], round(photograph.width * scale)), max(size[1], round(photograph.height * scale))),
            Image.Resampling.BICUBIC,
        )
        return large.crop((0, 0, *size))
    drawn: NDArray[np.float32] = background(behind, max(size), random.randrange(1 << 30))
    return Image.fromarray((drawn.clip(0, 1) * 255).astype(np.uint8)).crop((0, 0, *size))
