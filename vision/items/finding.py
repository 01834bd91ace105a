"""The items of a photo: what stands out from its background, as boxes, the clearest first."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import NamedTuple

import numpy as np
from PIL import Image

from schemas.query.box import WHOLE, Box
from vision.items.background import Plane, distances, small
from vision.items.components import Component, components, grown, opened
from vision.pictures.preprocess import WHITE

LEAST_SIDE = 64
"""Pixels; of a smaller photo nothing is looked for."""
MOST_ITEMS = 8
_LEVELS = (6.0, 9.0, 13.5, 20.0, 30.0, 45.0, 68.0)
"""Distances from which on a place may belong to an item."""
LEAST_AREA = 0.008
MOST_AREA = 0.9
"""Of the photo, of a box: a smaller item is a detail, a larger one the photo itself."""
_LEAST_PIXELS = 0.003
"""Of the photo, that an item has itself."""
_MARGIN = 0.08
"""Around an item, of its longer side."""
_LEAST_SCORE = 0.2
_STUDIO = 0.8
"""Part of the photo's edge that is white in a studio picture."""
_SURE = 0.25
"""Score from which on an item is searched by default."""
_OF_MANY = 0.35
"""Of the photo, of a box: a larger item is what the photo is of."""
_BESIDE = 0.3
"""Part of a box within another up to which the two are beside each other."""
_LARGE = 0.25
"""Of the photo, of a box: a larger item counts no more."""
_HALF_RISE = 20.0
"""How far an item stands out at which it has half of the score that it can have for that."""
_AROUND = 2
"""Pixels beside an item that it is compared with."""
_WIDER = 0.75
"""Part of an item's score that a wider box of it has at least."""
_SAME = 0.5
"""Overlap from which on two boxes are of one item."""
_INSIDE = 0.7
_DETAIL = 0.5
"""Part of a box within another from which on it is a part of that item, if it is so much of it; what is less may be
meant by itself."""


class Item(NamedTuple):
    """Something that stands out; `score` from 0 to 1: how clearly, and how much of the photo it is."""

    box: Box
    score: float


def find_items(image: Image.Image) -> list[Item]:
    """What stands out, at most `MOST_ITEMS`, the best first; the same for the same picture. Thread-safe.

    image: RGB, upright. Nothing is found where a side has less than `LEAST_SIDE` pixels.
    """
    if min(image.size) < LEAST_SIDE:
        return []
    candidates = sorted(_candidates(distances(small(image))), key=lambda each: (-each.score, each.box))
    chosen: list[Item] = []
    for item in candidates:
        if len(chosen) == MOST_ITEMS or item.score < _LEAST_SCORE:
            break
        if not any(_alike(item.box, other.box) for other in chosen):
            chosen.append(item)
    shown = [_shown(item, _extent(item, candidates, chosen), image.size) for item in chosen]
    return sorted(shown, key=lambda each: (-each.score, each.box))


def searched_box(image: Image.Image, items: Sequence[Item]) -> Box:
    """What to search by in a photo of these items where nobody says: the best one, or all of the photo.

    It is the best one where another stands apart from it: what is alone in a photo is what the photo is of, and its
    surroundings do it little harm. A studio picture is whole: its white goes anyhow (`vision.pictures.preprocess`). An
    item that fills most of the photo is the photo, and one that hardly stands out may be anything.
    """
    if not items or items[0].score < _SURE or items[0].box.area > _OF_MANY:
        return WHOLE
    best, *others = (each.box for each in items)
    if any(best.within(each) > _BESIDE for each in others) or not any(_apart(best, each) for each in others):
        return WHOLE
    return WHOLE if _on_white(image) else best


def _apart(box: Box, other: Box) -> bool:
    return max(box.within(other), other.within(box)) < _BESIDE


def _on_white(image: Image.Image) -> bool:
    darkest = np.asarray(small(image)).min(axis=2)
    edge = np.concatenate([darkest[0], darkest[-1], darkest[:, 0], darkest[:, -1]])
    return float((edge >= WHITE).mean()) > _STUDIO


def _extent(item: Item, candidates: Sequence[Item], chosen: Sequence[Item]) -> Box:
    """With what hangs on it in paler colours, as legs and soles do: the widest box that is of this item alone."""
    alone = [
        each.box
        for each in candidates
        if each.score >= _WIDER * item.score
        and each.box.overlap(item.box) > _SAME
        and not any(_alike(each.box, other.box) for other in chosen if other is not item)
    ]
    return max(alone, key=lambda box: (box.area, box))


def _alike(box: Box, other: Box) -> bool:
    """Of the same item: nearly the same box, or the one a good part of the other."""
    if box.overlap(other) > _SAME:
        return True
    smaller, larger = sorted((box, other), key=lambda each: each.area)
    return smaller.within(larger) > _INSIDE and smaller.area > _DETAIL * larger.area


def _candidates(way: Plane) -> Iterator[Item]:
    """Whatever hangs together beyond one of the levels."""
    height, width = way.shape
    for level in _LEVELS:
        for part in components(opened(way > level), _LEAST_PIXELS * way.size):
            box = Box(part.left / width, part.top / height, part.right / width, part.bottom / height)
            if LEAST_AREA <= box.area <= MOST_AREA:
                yield Item(box, _score(way, part, box))


def _score(way: Plane, part: Component, box: Box) -> float:
    """How far it stands out from what is around it, how well it fills its box, how much of the photo it is."""
    rows, columns, mask = part.mask(_AROUND, *way.shape)
    ring = mask
    for _ in range(_AROUND):
        ring = grown(ring)
    ring &= ~mask
    around = way[rows, columns]
    outside = float(around[ring].mean()) if ring.any() else 0.0
    rise = max(0.0, float(np.median(around[mask])) - outside)
    filled = part.pixels / (box.area * way.size)
    return float(rise / (rise + _HALF_RISE) * min(1.0, filled) ** 0.5 * min(1.0, box.area / _LARGE) ** 0.25)


def _shown(item: Item, box: Box, size: tuple[int, int]) -> Item:
    """Among items that stand out alike, the largest is what is meant."""
    return Item(_with_margin(box, size), round(item.score * min(1.0, box.area / _LARGE) ** 0.25, 4))


def _with_margin(box: Box, size: tuple[int, int]) -> Box:
    width, height = size
    margin = _MARGIN * max((box.x1 - box.x0) * width, (box.y1 - box.y0) * height)
    wide, high = margin / width, margin / height
    return Box(
        round(max(0.0, box.x0 - wide), 4),
        round(max(0.0, box.y0 - high), 4),
        round(min(1.0, box.x1 + wide), 4),
        round(min(1.0, box.y1 + high), 4),
    )
