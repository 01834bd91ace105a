"""Outlines in object coordinates: x right, y down, an object fills about [-0.9, 0.9] both ways."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace
from random import Random
from typing import Literal

import numpy as np
from numpy.typing import NDArray

Point = tuple[float, float]
Path = list[Point]

Material = Literal["main", "second", "accent", "dark", "wood", "metal", "sole", "inside", "skin"]
Shading = Literal["puffy", "flat", "round", "glossy"]


@dataclass(frozen=True, slots=True)
class Part:
    """One painted piece of an object; later parts lie over earlier ones.

    `width` > 0: a stroke along `path` of that width; 0: the filled polygon.
    `relief`: how far the edge rounds off. `turn`: angle (radians) by which the
    pattern is turned, as on a sleeve. `lift`: strength of the shadow it casts
    on what lies below.
    """

    path: Path
    material: Material = "main"
    width: float = 0.0
    relief: float = 0.07
    shading: Shading = "puffy"
    turn: float = 0.0
    lift: float = 0.35
    holes: tuple[Path, ...] = ()


def curve(*points: Point, steps: int = 9, closed: bool = False) -> Path:
    """A Catmull-Rom curve through the points, its ends included."""
    if len(points) < 3 and not closed:
        return list(points)
    knots = np.asarray(points, dtype=np.float64)
    if closed:
        around = np.vstack([knots[-1], knots, knots[0], knots[1]])
    else:
        around = np.vstack([2 * knots[0] - knots[1], knots, 2 * knots[-1] - knots[-2]])
    t = np.linspace(0, 1, steps, endpoint=False)[:, None]
    pieces = []
    for i in range(1, len(around) - 2):
        a, b, c, d = around[i - 1], around[i], around[i + 1], around[i + 2]
        pieces.append(0.5 * (2 * b + (c - a) * t + (2 * a - 5 * b + 4 * c - d) * t**2 + (3 * b - a - 3 * c + d) * t**3))
    path = np.vstack(pieces if closed else [*pieces, knots[-1:]])
    return [(float(x), float(y)) for x, y in path]


def mirrored(half: Sequence[Point]) -> Path:
    """The closed outline whose right half runs from the top of the axis x = 0 to its bottom."""
    return list(half) + [(-x, y) for x, y in reversed(half)]


def flipped(part: Part) -> Part:
    """The part's mirror image."""
    return replace(
        part,
        path=[(-x, y) for x, y in part.path],
        holes=tuple([(-x, y) for x, y in hole] for hole in part.holes),
        turn=-part.turn,
    )


def both(part: Part) -> list[Part]:
    """The part and its mirror image."""
    return [part, flipped(part)]


def arc(x: float, y: float, rx: float, ry: float, start: float = 0.0, end: float = 360.0, steps: int = 40) -> Path:
    """Points on an ellipse, angles in degrees, clockwise from the right (y points down)."""
    angles = [math.radians(start + (end - start) * i / steps) for i in range(steps + 1)]
    return [(x + rx * math.cos(a), y + ry * math.sin(a)) for a in angles]


def pick(random: Random, *materials: Material) -> Material:
    """One of the materials."""
    return random.choice(materials)


def box(x0: float, y0: float, x1: float, y1: float, radius: float = 0.0) -> Path:
    """A rectangle, its corners rounded."""
    if radius <= 0:
        return [(x0, y0), (x1, y0), (x1, y1), (x0, y1)]
    r = min(radius, (x1 - x0) / 2, (y1 - y0) / 2)
    return (
        arc(x1 - r, y0 + r, r, r, 270, 360, 8)
        + arc(x1 - r, y1 - r, r, r, 0, 90, 8)
        + arc(x0 + r, y1 - r, r, r, 90, 180, 8)
        + arc(x0 + r, y0 + r, r, r, 180, 270, 8)
    )


def fitted(parts: Sequence[Part], extent: float = 0.9) -> list[Part]:
    """The parts, moved and scaled alike in both directions so that they fill [-extent, extent]."""
    points = np.asarray([point for part in parts for point in part.path])
    low, high = points.min(axis=0), points.max(axis=0)
    scale = 2 * extent / float((high - low).max())
    cx, cy = (float(value) for value in (low + high) / 2)

    def move(path: Path) -> Path:
        return [((x - cx) * scale, (y - cy) * scale) for x, y in path]

    return [
        replace(
            part,
            path=move(part.path),
            width=part.width * scale,
            relief=part.relief * scale,
            holes=tuple(move(hole) for hole in part.holes),
        )
        for part in parts
    ]


def project(matrix: NDArray[np.float64], path: Path) -> NDArray[np.float64]:
    """Points through a 3 x 3 homography, shape (n, 2)."""
    points = np.asarray(path, dtype=np.float64)
    homogeneous = np.column_stack([points, np.ones(len(points))]) @ matrix.T
    projected: NDArray[np.float64] = homogeneous[:, :2] / homogeneous[:, 2:]
    return projected
