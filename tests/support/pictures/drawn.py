"""Pictures that tests draw: no file of theirs lies in the tree."""

from __future__ import annotations

import io

import numpy as np
from PIL import Image


def scene(width: int = 320, height: int = 240) -> Image.Image:
    """Upper half red, lower half blue, a green square in the upper left corner: no symmetry left."""
    pixels = np.zeros((height, width, 3), np.uint8)
    pixels[: height // 2] = (220, 30, 30)
    pixels[height // 2 :] = (30, 30, 220)
    pixels[: height // 4, : width // 4] = (30, 200, 30)
    return Image.fromarray(pixels)


def product(seed: int, size: int = 300, turned: float = 0.0) -> Image.Image:
    """A blob of seeded shape, colour and stripes on white; `turned` degrees: another view of it."""
    random = np.random.default_rng(seed)
    y, x = np.mgrid[-1 : 1 : size * 1j, -1 : 1 : size * 1j]
    angle = np.arctan2(y, x)
    radius = 0.55 + sum(random.uniform(0.02, 0.15) * np.cos(k * angle + random.uniform(0, 6)) for k in (2, 3, 5))
    stripes = np.sin(x * random.uniform(5, 40) + y * random.uniform(5, 40)) > 0
    colours = random.integers(0, 230, (2, 3))
    pixels = np.where(stripes[..., None], colours[0], colours[1])
    pixels = np.where((np.hypot(x, y) < radius)[..., None], pixels, 255).astype(np.uint8)
    return Image.fromarray(pixels).rotate(turned, Image.Resampling.BICUBIC, fillcolor=(255, 255, 255))


def encoded(image: Image.Image, file_format: str, **options: object) -> bytes:
    buffer = io.BytesIO()
    image.save(buffer, file_format, **options)
    return buffer.getvalue()
