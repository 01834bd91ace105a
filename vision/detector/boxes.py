"""From what the detector's network gives to boxes: distances read off distributions, and one box a thing.

A place of a grid says for each class how likely a thing of it is there, and for each side of its box a distribution
over distances in steps of the grid (Li et al., "Generalized Focal Loss", 2020).
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from schemas.query.box import Box

Plane = NDArray[np.float32]

SIDE = 416
"""Pixels of a side of what the network is given."""
GRIDS = (52, 26, 13)
"""Places on a side of each grid; the network's outputs are the scores of each of these, then the distances of each."""
_STEPS = 11
_SAME = 0.6
"""Overlap from which on two boxes are of one thing, as NanoDet's authors have it."""


class Seen(NamedTuple):
    """A thing in a picture. `label`: place of its class in `names.NAMES`. `score`: from 0 to 1. `box`: its place."""

    label: int
    score: float
    box: Box


def boxes_of(outputs: list[Plane], least: float, part: tuple[float, float] = (1.0, 1.0)) -> list[Seen]:
    """Of one picture, the surest first, each class for itself.

    outputs: of each of `GRIDS`, (1, places, classes), then (1, places, 4 x distances). least: score. part: how much
    of the network's input the picture takes, across and down, from the upper left corner.
    """
    found: list[Seen] = []
    for grid, scores, distances in zip(GRIDS, outputs[:3], outputs[3:], strict=True):
        places, labels = np.nonzero(scores[0] >= least)
        if not len(places):
            continue
        sides = _distances(distances[0][places]) / grid
        x, y = (places % grid + 0.5) / grid, (places // grid + 0.5) / grid
        corners = np.stack([x - sides[:, 0], y - sides[:, 1], x + sides[:, 2], y + sides[:, 3]], axis=1)
        corners = np.clip(corners / np.array([*part, *part]), 0.0, 1.0)
        for label, score, corner in zip(labels.tolist(), scores[0][places, labels].tolist(), corners, strict=True):
            box = Box(*(round(float(each), 4) for each in corner))
            if box.area > 0.0:
                found.append(Seen(label, round(score, 4), box))
    return _each_once(sorted(found, key=lambda each: (-each.score, each.label, each.box)))


def _distances(distributions: Plane) -> Plane:
    """(n, 4 x steps) to (n, 4): the mean of each distribution, in steps of its grid."""
    logits = distributions.reshape(len(distributions), 4, _STEPS)
    powers = np.exp(logits - logits.max(axis=2, keepdims=True))
    means: Plane = (powers * np.arange(_STEPS, dtype=np.float32)).sum(axis=2) / powers.sum(axis=2)
    return means


def _each_once(seen: list[Seen]) -> list[Seen]:
    kept: list[Seen] = []
    for each in seen:
        if not any(each.label == other.label and each.box.overlap(other.box) > _SAME for other in kept):
            kept.append(each)
    return kept
