"""What stands behind the objects: studio paper, rooms, wood, linen, marble."""

from __future__ import annotations

from random import Random

import numpy as np
from numpy.typing import NDArray

from sample.patterns import Plane, cloud

Canvas = NDArray[np.float32]

_PAPERS = ((0.93, 0.91, 0.87), (0.86, 0.9, 0.92), (0.93, 0.87, 0.85), (0.88, 0.91, 0.86), (0.9, 0.88, 0.93))
_WALLS = ((0.87, 0.85, 0.8), (0.75, 0.8, 0.8), (0.85, 0.78, 0.72), (0.78, 0.78, 0.83), (0.9, 0.9, 0.88))
_FLOORS = ((0.62, 0.5, 0.38), (0.7, 0.68, 0.65), (0.52, 0.43, 0.36), (0.78, 0.72, 0.62))


def background(scene: str, size: int, seed: int) -> Canvas:
    """An empty scene, shape (size, size, 3), values from 0 to 1."""
    random = Random(seed)
    line = np.linspace(-1, 1, size).astype(np.float32)
    x: Plane = np.broadcast_to(line[None, :], (size, size))
    y: Plane = np.broadcast_to(line[:, None], (size, size))
    match scene:
        case "white":
            return _flat((0.975, 0.975, 0.975), 1 - 0.03 * np.hypot(x, y))
        case "grey":
            return _flat((0.84, 0.845, 0.85), 1.06 - 0.14 * np.hypot(x, y - np.float32(0.2)))
        case "paper":
            return _flat(random.choice(_PAPERS), 1.03 - 0.1 * np.hypot(x, y))
        case "room":
            return _room(random, x, y, seed)
        case "wood":
            return _wood(random, x, y, seed)
        case "linen":
            weave = np.sin(x * np.float32(size * 0.9)) * np.sin(y * np.float32(size * 0.9)) * np.float32(0.03)
            return _flat(
                random.choice(_PAPERS),
                0.88 + weave + cloud(x * np.float32(2), y * np.float32(2), seed) * np.float32(0.035),
            )
        case "marble":
            vein = np.abs(cloud(x * np.float32(1.4), y * np.float32(1.4), seed, 5))
            return _flat((0.92, 0.92, 0.91), 1 - 0.16 * np.exp(-vein * 9) + cloud(x, y, seed + 1) * np.float32(0.02))
        case _:
            raise ValueError(f"no such scene: {scene}")


def _flat(colour: tuple[float, float, float], light: Plane) -> Canvas:
    return np.asarray(np.asarray(colour, dtype=np.float32) * light[:, :, None], dtype=np.float32)


def _room(random: Random, x: Plane, y: Plane, seed: int) -> Canvas:
    """A wall, a skirting line and a floor."""
    wall = _flat(random.choice(_WALLS), 1.02 - 0.08 * np.hypot(x - np.float32(0.3), y + np.float32(0.4)))
    planks = 0.96 + cloud(x * np.float32(1.2), y * np.float32(14), seed, 3) * np.float32(0.04)
    floor = _flat(random.choice(_FLOORS), planks)
    line = np.float32(random.uniform(0.45, 0.7))
    edge = np.clip((y - line) * 60, 0, 1)[:, :, None]
    skirting = (np.exp(-(((y - line) / 0.012) ** 2)) * np.float32(0.25))[:, :, None]
    return np.asarray((wall * (1 - edge) + floor * edge) * (1 - skirting), dtype=np.float32)


def _wood(random: Random, x: Plane, y: Plane, seed: int) -> Canvas:
    """A table top of boards."""
    count = random.choice((4, 5, 6))
    board = np.floor((x + 1) / 2 * count)
    place = (x + 1) / 2 * count - board
    grain = cloud(x * np.float32(16) + board * np.float32(5), y * np.float32(1.1) + board * np.float32(2), seed, 4)
    gap = np.exp(-((np.minimum(place, 1 - place) / 0.02) ** 2)) * np.float32(0.4)
    tone = 0.97 + grain * np.float32(0.06) + np.sin(board * 12.9 + seed % 13).astype(np.float32) * np.float32(0.05)
    return _flat(random.choice(((0.66, 0.52, 0.38), (0.8, 0.7, 0.56), (0.5, 0.38, 0.28))), tone * (1 - gap))
