"""A box of a photo as a photo of its own: cut out, and what is clearly background in it made white."""

from __future__ import annotations

import io

import numpy as np
from PIL import Image

from schemas.query.box import Box
from vision.items.background import distances, small

LONGEST_SIDE = 640
"""Pixels of what is cut out; encoders see 260."""
_NEAR = 6.0
"""Distance (`background.distances`) up to which a place is background."""
_LEAST_KEPT = 0.1
"""Part of a box that must be item for the rest to be made white: else the photo tells too little of what it is."""
_QUALITY = 95


def cut(image: Image.Image, box: Box, *, whiten: bool = True) -> Image.Image:
    """The box of an upright RGB photo, its longer side `LONGEST_SIDE` pixels at most. Thread-safe.

    A pixel at least, whatever the box. Background is white, as in studio photographs, which an encoder knows best.
    """
    width, height = image.size
    left, top = min(int(box.x0 * width), width - 1), min(int(box.y0 * height), height - 1)
    right, bottom = max(left + 1, round(box.x1 * width)), max(top + 1, round(box.y1 * height))
    part = image.crop((left, top, right, bottom))
    if whiten and (mask := _item_mask(image, (left, top, right, bottom))) is not None:
        part = Image.composite(part, Image.new("RGB", part.size, (255, 255, 255)), mask)
    scale = LONGEST_SIDE / max(part.size)
    if scale < 1.0:
        size = (max(1, round(part.width * scale)), max(1, round(part.height * scale)))
        part = part.resize(size, Image.Resampling.BICUBIC, reducing_gap=2.0)
    return part


def encoded(image: Image.Image) -> bytes:
    """As a JPEG that loses next to nothing."""
    file = io.BytesIO()
    image.save(file, "JPEG", quality=_QUALITY, subsampling=0)
    return file.getvalue()


def _item_mask(image: Image.Image, cut_out: tuple[int, int, int, int]) -> Image.Image | None:
    """255 where the item is, of the size of what is cut out; None where the background is not to be told from it."""
    way = distances(small(image))
    height, width = way.shape
    across, down = width / image.width, height / image.height
    left, top, right, bottom = cut_out
    place = (left * across, top * down, right * across, bottom * down)
    far = Image.fromarray(((way > _NEAR) * 255).astype(np.uint8))
    mask = far.resize((right - left, bottom - top), Image.Resampling.BILINEAR, box=place)
    kept = float(np.asarray(mask.reduce(max(1, min(mask.size) // 64)), np.float32).mean()) / 255
    return mask if kept >= _LEAST_KEPT else None
