"""Copies of a picture as other sellers make them, and what of the real catalogues is one thing."""

from __future__ import annotations

import io
from pathlib import Path

import numpy as np
from PIL import Image, ImageEnhance, ImageOps

COPIES = ("stored_anew", "half_size", "cut_5", "cut_10")
"""JPEG at 75; scaled, and stored at 90; 5 and 10 % of the width and of the height cut away, from either side."""
ASIDE = ("third_size", "jpeg_50", "brighter", "border")
"""A third of the size: of clothing 107 pixels, half of what the network looks at; JPEG at 50; 15 % brighter; a white
border of 3 %."""
_CUT = {"cut_5": 0.05, "cut_10": 0.10}
_SCALED = {"half_size": 0.5, "third_size": 1 / 3}
_QUALITY = {"stored_anew": 75, "jpeg_50": 50}
_BRIGHTNESS = {"brighter": 1.15}

_TWICE = frozenset(
    frozenset(f"images/{name}.jpg" for name in pair)
    for pair in (
        ("shorts-train-0088", "skirt-train-0041"),
        ("skirt-train-0001", "skirt-train-0054"),
        ("hat-train-0040", "hat-train-0059"),
    )
)
"""Of clothing, looked at: one photograph under two labels, and two things that were photographed twice."""


def copies(file: Path, kind: str, seed: int) -> bytes:
    """A copy of that kind, as JPEG; the same for the same seed."""
    with Image.open(file) as opened:
        picture = ImageOps.exif_transpose(opened).convert("RGB")
    width, height = picture.size
    if share := _CUT.get(kind):
        left, top = np.random.default_rng(seed).random(2) * share * np.array([width, height])
        picture = picture.crop((round(left), round(top), round(left + (1 - share) * width),
                                round(top + (1 - share) * height)))  # fmt: skip
    elif share := _SCALED.get(kind):
        picture = picture.resize((round(width * share), round(height * share)), Image.Resampling.LANCZOS)
    elif factor := _BRIGHTNESS.get(kind):
        picture = ImageEnhance.Brightness(picture).enhance(factor)
    elif kind == "border":
        picture = ImageOps.expand(picture, round(0.03 * max(picture.size)), "white")
    held = io.BytesIO()
    picture.save(held, "JPEG", quality=_QUALITY.get(kind, 90))
    return held.getvalue()


def one_thing(left: str, right: str) -> bool:
    """Whether two pictures of a catalogue, by their files, show the same."""
    return frozenset((left, right)) in _TWICE
