"""The picture behind `reference.npz`: drawn by whole numbers, so that it is the same everywhere."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

SIDE = 416


def drawn() -> NDArray[np.uint8]:
    """(416, 416, 3), RGB: a figure with a head, arms and legs before a wall of two colours, and a ball beside it."""
    y, x = np.mgrid[0:SIDE, 0:SIDE]
    picture = np.stack([180 + (x * 40 // SIDE), 190 - (y * 50 // SIDE), 170 + (x + y) % 7 * 4], axis=2)
    picture[y > 330] = (110, 90, 70)
    shapes = (
        ((x - 200) ** 2 * 9 + (y - 85) ** 2 * 6 < 9 * 34**2, (205, 160, 130)),
        ((x > 158) & (x < 242) & (y > 118) & (y < 245), (40, 70, 160)),
        ((abs(x - 148) < 14) & (y > 125) & (y < 240), (200, 155, 125)),
        ((abs(x - 252) < 14) & (y > 125) & (y < 240), (200, 155, 125)),
        ((abs(x - 180) < 19) & (y >= 245) & (y < 375), (50, 50, 60)),
        ((abs(x - 222) < 19) & (y >= 245) & (y < 375), (50, 50, 60)),
        ((x - 330) ** 2 + (y - 345) ** 2 < 38**2, (230, 120, 30)),
    )
    for where, colour in shapes:
        picture[where] = colour
    return picture.astype(np.uint8)
