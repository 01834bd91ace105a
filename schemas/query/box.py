"""Boxes in a photo, in parts of its sides, as it stands upright."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import NamedTuple

LEAST_SIDE = 0.01
"""Of a photo's width or height: a box is at least as wide and as high."""


class Box(NamedTuple):
    """Left, top, right and bottom, each from 0 to 1: of the photo's width and height."""

    x0: float
    y0: float
    x1: float
    y1: float

    @property
    def area(self) -> float:
        """Part of the photo."""
        return max(0.0, self.x1 - self.x0) * max(0.0, self.y1 - self.y0)

    def within(self, other: Box) -> float:
        """Which part of this box lies in the other."""
        shared = Box(max(self.x0, other.x0), max(self.y0, other.y0), min(self.x1, other.x1), min(self.y1, other.y1))
        return shared.area / self.area if self.area else 0.0

    def overlap(self, other: Box) -> float:
        """What both cover, as a part of what one of them covers."""
        shared = self.within(other) * self.area
        both = self.area + other.area - shared
        return shared / both if both else 0.0


WHOLE = Box(0.0, 0.0, 1.0, 1.0)


def checked_box(numbers: Sequence[float]) -> Box:
    """The box of these four numbers. Raises `ValueError`, which says what is wrong."""
    if len(numbers) != 4:
        raise ValueError(f"{len(numbers)} numbers, four are wanted")
    if not all(math.isfinite(each) and 0.0 <= each <= 1.0 for each in numbers):
        raise ValueError("a number is not from 0 to 1")
    box = Box(*map(float, numbers))
    if box.x1 - box.x0 < LEAST_SIDE or box.y1 - box.y0 < LEAST_SIDE:
        raise ValueError(f"x1 must be above x0 and y1 above y0, by {LEAST_SIDE} at least")
    return box
