"""Pictures of plain colours on white, and base features whose colours are theirs."""

from __future__ import annotations

import numpy as np
import torch
from numpy.typing import NDArray

from schemas.features.blocks import blocks_of, spans
from schemas.features.stored import feature_bytes
from tests.support.pictures.looks import FEATURES, base_rows
from vision.encoding.colour import ColourHistogram

Colour = tuple[int, int, int]
SIDE = 100

FOCAL: dict[str, Colour] = {
    "black": (20, 20, 22),
    "white": (236, 236, 234),
    "grey": (128, 128, 128),
    "red": (190, 20, 40),
    "green": (20, 130, 60),
    "yellow": (245, 215, 50),
    "blue": (20, 70, 170),
    "brown": (90, 50, 25),
    "orange": (240, 130, 30),
    "pink": (240, 150, 175),
    "purple": (110, 50, 130),
}
SKIN, LEATHER = (205, 160, 135), (170, 125, 90)


def picture(*parts: tuple[Colour, int]) -> NDArray[np.uint8]:
    """Stripes of these heights on white, half as wide as the picture."""
    drawn = np.full((SIDE, SIDE, 3), 255, np.uint8)
    top = 0
    for colour, height in parts:
        drawn[top : top + height, 25:75] = colour
        top += height
    return drawn


def features_of(*pictures: NDArray[np.uint8]) -> list[bytes]:
    """Of the blocks the colours alone are those of the pictures."""
    rows = base_rows(len(pictures), seed=3)
    colours = ColourHistogram()(torch.from_numpy(np.stack(pictures))).numpy()
    rows[:, spans(blocks_of(FEATURES))[-1]] = colours / 2
    return feature_bytes(rows, FEATURES)
