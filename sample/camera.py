"""The photographs: an object's parts, its finish and a view of it become a picture.

Every polygon is projected by the view's homography and drawn at three times
the size, then reduced (anti-aliasing); everything else (patterns, shading,
shadows, light) is evaluated per final pixel. About 20 ms a picture of 288
pixels on one core.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from random import Random

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageDraw, ImageFilter

from sample.backgrounds import background
from sample.geometry import Material, Part, project
from sample.patterns import PATTERNS, Plane, cloud

Colour = tuple[float, float, float]
"""Red, green, blue from 0 to 1."""

SIZE = 288
_FINE = 3


@dataclass(frozen=True, slots=True)
class Finish:
    """What a product is made of: its three colours, the pattern of the main one and its period."""

    colours: tuple[Colour, Colour, Colour]
    pattern: str
    period: float
    seed: int
    folds: float


@dataclass(frozen=True, slots=True)
class View:
    """How a photograph was taken. `homography` maps object coordinates to pixels."""

    homography: NDArray[np.float64]
    light: tuple[float, float]
    exposure: float
    warmth: float
    scene: str
    seed: int


def catalogue_view(random: Random, first: bool) -> View:
    """A studio view: nearly frontal before a quiet background."""
    spread = 1.0 if first else 1.6
    scene = random.choice(("white", "paper", "grey", "paper")) if first else random.choice(("paper", "room", "grey"))
    return _view(random, scene, turn=4 * spread, scale=(0.8, 0.95), shift=0.03 * spread, tilt=0.05 * spread, dim=0.05)


def shopper_view(random: Random) -> View:
    """A photo as a shopper takes it: turned, nearer or farther, in some room and some light."""
    scene = random.choice(("room", "wood", "room", "marble", "linen"))
    return _view(random, scene, turn=8, scale=(0.74, 0.92), shift=0.06, tilt=0.1, dim=0.13)


def _view(
    random: Random, scene: str, *, turn: float, scale: tuple[float, float], shift: float, tilt: float, dim: float
) -> View:
    angle = math.radians(random.uniform(-turn, turn))
    zoom = random.uniform(*scale) * SIZE / 2
    across, down = random.uniform(-tilt, tilt), random.uniform(-tilt, tilt)
    perspective = np.array([[1 - abs(across) * 0.7, 0, 0], [0, 1 - abs(down) * 0.7, 0], [across, down, 1]])
    rotation = np.array([[math.cos(angle), -math.sin(angle), 0], [math.sin(angle), math.cos(angle), 0], [0, 0, 1]])
    centre_x = SIZE / 2 + random.uniform(-shift, shift) * SIZE
    centre_y = SIZE / 2 + random.uniform(-shift, shift) * SIZE
    place = np.array([[zoom, 0, centre_x], [0, zoom, centre_y], [0, 0, 1]])
    side = random.choice((-1.0, 1.0))
    return View(
        homography=place @ perspective @ rotation,
        light=(side * random.uniform(0.45, 0.8), -random.uniform(0.5, 0.85)),
        exposure=1 + random.uniform(-dim, dim * 0.6),
        warmth=random.uniform(-0.3, 0.5) * dim,
        scene=scene,
        seed=random.getrandbits(31),
    )


def photograph(parts: Sequence[Part], finish: Finish, view: View) -> Image.Image:
    """The picture, RGB, SIZE x SIZE."""
    u, v = _object_coordinates(view)
    canvas = background(view.scene, SIZE, view.seed)
    masks = [_mask(part, view) for part in parts]
    _cast_shadow(canvas, masks, view)
    folds = cloud(u * np.float32(1.3), v * np.float32(0.9), finish.seed + view.seed % 5) * np.float32(finish.folds)
    for part, mask in zip(parts, masks, strict=True):
        _paint(canvas, part, mask, finish, view, u, v, folds)
    return _develop(canvas, view)


def _object_coordinates(view: View) -> tuple[Plane, Plane]:
    inverse = np.linalg.inv(view.homography)
    x, y = np.meshgrid(np.arange(SIZE) + 0.5, np.arange(SIZE) + 0.5)
    w = inverse[2, 0] * x + inverse[2, 1] * y + inverse[2, 2]
    u = (inverse[0, 0] * x + inverse[0, 1] * y + inverse[0, 2]) / w
    v = (inverse[1, 0] * x + inverse[1, 1] * y + inverse[1, 2]) / w
    return u.astype(np.float32), v.astype(np.float32)


def _mask(part: Part, view: View) -> Image.Image:
    """Coverage of the part, 0 to 255; only the part's surroundings are drawn finely."""
    points = project(view.homography, part.path)
    width = max(0.7, part.width * _scale(view)) if part.width > 0 else 0.0
    x0, y0 = (max(0, int(value)) for value in np.floor(points.min(axis=0) - width - 1))
    x1, y1 = (min(SIZE, int(value)) for value in np.ceil(points.max(axis=0) + width + 1))
    mask = Image.new("L", (SIZE, SIZE))
    if x1 <= x0 or y1 <= y0:
        return mask
    fine = Image.new("L", ((x1 - x0) * _FINE, (y1 - y0) * _FINE))
    draw = ImageDraw.Draw(fine)

    def on_fine(path: NDArray[np.float64]) -> list[tuple[float, float]]:
        return [((float(x) - x0) * _FINE, (float(y) - y0) * _FINE) for x, y in path]

    if width:
        pen = max(2, round(width * _FINE))
        line = on_fine(points)
        draw.line(line, fill=255, width=pen, joint="curve")
        for x, y in (line[0], line[-1]):
            draw.ellipse((x - pen / 2, y - pen / 2, x + pen / 2, y + pen / 2), fill=255)
    else:
        draw.polygon(on_fine(points), fill=255)
    for hole in part.holes:
        draw.polygon(on_fine(project(view.homography, hole)), fill=0)
    mask.paste(fine.reduce(_FINE), (x0, y0))
    return mask


def _scale(view: View) -> float:
    """Pixels per object unit at the picture's middle."""
    points = project(view.homography, [(0.0, 0.0), (0.1, 0.0)])
    return float(np.hypot(*(points[1] - points[0]))) * 10


def _cast_shadow(canvas: NDArray[np.float32], masks: Sequence[Image.Image], view: View) -> None:
    union = masks[0]
    for mask in masks[1:]:
        union = Image.fromarray(np.maximum(np.asarray(union), np.asarray(mask)))
    soft = np.asarray(union.filter(ImageFilter.GaussianBlur(9)), dtype=np.float32) / 255
    near = np.asarray(union.filter(ImageFilter.GaussianBlur(3)), dtype=np.float32) / 255
    shift = (round(-view.light[1] * 10), round(-view.light[0] * 10))
    shadow = np.roll(soft, shift, axis=(0, 1)) * np.float32(0.34) + np.roll(near, (3, 0), axis=(0, 1)) * np.float32(0.2)
    canvas *= 1 - shadow[:, :, None]


def _paint(
    canvas: NDArray[np.float32],
    part: Part,
    mask: Image.Image,
    finish: Finish,
    view: View,
    u: Plane,
    v: Plane,
    folds: Plane,
) -> None:
    bounds = mask.getbbox()
    if bounds is None:
        return
    margin = 10
    x0, y0 = max(0, bounds[0] - margin), max(0, bounds[1] - margin)
    x1, y1 = min(SIZE, bounds[2] + margin), min(SIZE, bounds[3] + margin)
    mask = mask.crop((x0, y0, x1, y1))
    cut = (slice(y0, y1), slice(x0, x1))
    alpha = np.asarray(mask, dtype=np.float32) / 255
    if part.lift > 0:
        cast = np.asarray(mask.filter(ImageFilter.GaussianBlur(3)), dtype=np.float32) / 255
        cast = np.roll(cast, (2, 1 if view.light[0] < 0 else -1), axis=(0, 1))
        canvas[cut] *= 1 - cast[:, :, None] * np.float32(part.lift)
    colour = _colour(part, finish, u[cut], v[cut], view)
    shade = _shade(part, mask, alpha, view)
    if part.material in ("main", "second", "inside"):
        shade = shade + folds[cut]
    lit = colour * shade[:, :, None]
    if part.shading in ("round", "glossy"):
        lit = lit + _gloss(alpha, view, strong=part.shading == "glossy")[:, :, None]
    canvas[cut] += (np.clip(lit, 0, 1) - canvas[cut]) * alpha[:, :, None]


def _colour(part: Part, finish: Finish, u: Plane, v: Plane, view: View) -> NDArray[np.float32]:
    colours = np.asarray(finish.colours, dtype=np.float32)
    fixed = _FIXED.get(part.material)
    if fixed is not None:
        tint = np.asarray(fixed, dtype=np.float32)
        if part.material == "wood":
            grain = cloud(u * np.float32(2.5), v * np.float32(22.0), finish.seed, 3)[:, :, None]
            return np.asarray(tint * (1 + 0.1 * grain), dtype=np.float32)
        return np.broadcast_to(tint, (*u.shape, 3))
    if part.material == "inside":
        return np.broadcast_to(colours[0] * np.float32(0.55), (*u.shape, 3))
    if part.material == "second":
        return np.broadcast_to(colours[1], (*u.shape, 3))
    if part.material == "accent":
        return np.broadcast_to(colours[2], (*u.shape, 3))
    if finish.pattern == "gradient":
        second = np.clip(v * np.float32(0.62) + np.float32(0.5), 0, 1)
        third = np.zeros_like(u)
    else:
        if part.turn:
            cos, sin = np.float32(math.cos(part.turn)), np.float32(math.sin(part.turn))
            u, v = u * cos + v * sin, v * cos - u * sin
        pixel = 1 / (_scale(view) * finish.period)
        second, third = PATTERNS[finish.pattern](
            u / np.float32(finish.period), v / np.float32(finish.period), pixel, finish.seed
        )
    mixed = colours[0] + (colours[1] - colours[0]) * second[:, :, None]
    return np.asarray(mixed + (colours[2] - mixed) * third[:, :, None], dtype=np.float32)


_FIXED: dict[Material, Colour] = {
    "dark": (0.13, 0.13, 0.14),
    "wood": (0.62, 0.42, 0.26),
    "metal": (0.74, 0.73, 0.7),
    "sole": (0.93, 0.92, 0.88),
    "skin": (0.86, 0.7, 0.58),
}


def _shade(part: Part, mask: Image.Image, alpha: Plane, view: View) -> Plane:
    """Brightness from the rounded edge (a blurred mask read as a height) and the light's direction."""
    if part.shading == "flat" or part.width > 0:
        return np.full_like(alpha, 0.97)
    radius = max(1.5, part.relief * _scale(view))
    height = np.asarray(mask.filter(ImageFilter.GaussianBlur(radius)), dtype=np.float32) / 255
    down, across = np.gradient(height)
    slope = (across * np.float32(view.light[0]) + down * np.float32(view.light[1])) * np.float32(radius)
    shade = 0.74 + 0.3 * np.clip(height * 1.3, 0, 1) - 0.75 * slope
    if part.shading == "round":
        shade = shade * _barrel(alpha, view)
    return np.asarray(np.clip(shade, 0.3, 1.25), dtype=np.float32)


def _across(alpha: Plane) -> Plane:
    """-1 at the part's left edge, 1 at its right, over the bounding box."""
    columns = np.flatnonzero(alpha.max(axis=0) > 0.5)
    first, last = (int(columns[0]), int(columns[-1])) if len(columns) else (0, alpha.shape[1] - 1)
    x = (np.arange(alpha.shape[1], dtype=np.float32) - first) / max(1, last - first) * 2 - 1
    return np.broadcast_to(np.clip(x, -1, 1), alpha.shape)


def _barrel(alpha: Plane, view: View) -> Plane:
    x = _across(alpha)
    facing = np.sqrt(np.clip(1 - x * x, 0.0, 1.0)) * np.float32(0.36) + np.float32(0.7)
    return np.asarray(facing + x * np.float32(view.light[0] * 0.16), dtype=np.float32)


def _gloss(alpha: Plane, view: View, *, strong: bool) -> Plane:
    x = _across(alpha) - np.float32(0.45 if view.light[0] > 0 else -0.45)
    band = np.exp(-(x * x) / np.float32(0.012))
    return np.asarray(band * np.float32(0.22 if strong else 0.1), dtype=np.float32)


def _develop(canvas: NDArray[np.float32], view: View) -> Image.Image:
    """Light falling off across the picture, exposure, colour temperature and a little sensor noise."""
    ramp = np.linspace(-0.06, 0.06, SIZE, dtype=np.float32)
    light = 1 + ramp[None, :] * np.float32(view.light[0]) + ramp[:, None] * np.float32(view.light[1])
    gain = np.array([1 + view.warmth, 1.0, 1 - view.warmth], dtype=np.float32) * np.float32(view.exposure)
    noise = np.random.Generator(np.random.PCG64(view.seed)).standard_normal((SIZE, SIZE), dtype=np.float32)
    picture = canvas * light[:, :, None] * gain + noise[:, :, None] * np.float32(0.008)
    return Image.fromarray((np.clip(picture, 0, 1) * 255 + 0.5).astype(np.uint8))
