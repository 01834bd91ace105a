"""Textile patterns as functions of object coordinates, so that they follow the object through every view.

A pattern gives two weights per pixel, both from 0 to 1: how much of the second
colour and then how much of the third lies over the first. Edges are smoothed
over one pixel, which is all the anti-aliasing they need.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray

Plane = NDArray[np.float32]
Weights = tuple[Plane, Plane]
Pattern = Callable[[Plane, Plane, float, int], Weights]
"""(u, v, pixel, seed): coordinates in units of the pattern's period, a pixel's size in them, the product's seed."""


def _edge(distance: Plane, pixel: float) -> Plane:
    """1 where `distance` is negative, 0 where positive, smooth over about a pixel."""
    return np.asarray(np.clip(0.5 - distance / (1.5 * pixel), 0.0, 1.0), dtype=np.float32)


def _wave(x: Plane) -> Plane:
    """Triangle wave of period 1: 0 at whole numbers, 0.5 between them."""
    return np.asarray(np.abs(x - np.floor(x + 0.5)), dtype=np.float32)


def _none(u: Plane) -> Plane:
    return np.zeros_like(u)


def _hash(i: Plane, j: Plane, salt: int) -> Plane:
    """Uniform numbers from 0 to 1, one per cell."""
    a = i.astype(np.int64).astype(np.uint32)
    b = j.astype(np.int64).astype(np.uint32)
    h = a * np.uint32(0x9E3779B1) ^ b * np.uint32(0x85EBCA77) ^ np.uint32(salt * 0xC2B2AE3D & 0xFFFFFFFF)
    h = (h ^ (h >> np.uint32(15))) * np.uint32(0x2C1B3C6D)
    h = (h ^ (h >> np.uint32(12))) * np.uint32(0x297A2D39)
    return ((h ^ (h >> np.uint32(15))) >> np.uint32(8)).astype(np.float32) / np.float32(1 << 24)


def cloud(u: Plane, v: Plane, seed: int, octaves: int = 4) -> Plane:
    """Smooth noise about 0, mostly within [-1, 1], features about one unit wide."""
    random = np.random.Generator(np.random.PCG64(seed))
    total = np.zeros_like(u)
    for octave in range(octaves):
        angle, phase = random.random() * 2 * np.pi, random.random() * 2 * np.pi
        frequency = 2.2 * 1.6**octave
        bend = np.sin(v * np.float32(frequency * 0.7) + np.float32(phase * 3)) * np.float32(0.6)
        total += np.sin(
            (u * np.float32(np.cos(angle)) + v * np.float32(np.sin(angle))) * np.float32(frequency)
            + bend
            + np.float32(phase)
        ) * np.float32(0.75**octave)
    return (total / np.float32(1.9)).astype(np.float32)


def plain(u: Plane, v: Plane, pixel: float, seed: int) -> Weights:
    return _none(u), _none(u)


def heather(u: Plane, v: Plane, pixel: float, seed: int) -> Weights:
    noise = _hash(np.floor(u * 24), np.floor(v * 9), seed)
    return (np.clip(noise * 1.1 - 0.45, 0, 0.6)).astype(np.float32), _none(u)


def stripes(u: Plane, v: Plane, pixel: float, seed: int) -> Weights:
    return _edge(_wave(v) - 0.22, pixel), _none(u)


def pinstripes(u: Plane, v: Plane, pixel: float, seed: int) -> Weights:
    return _edge(_wave(u * 1.6) - 0.09, pixel * 1.6), _none(u)


def awning(u: Plane, v: Plane, pixel: float, seed: int) -> Weights:
    """Vertical stripes, wide, with a thin companion."""
    return _edge(_wave(u * 0.6) - 0.2, pixel * 0.6), _edge(np.abs(_wave(u * 0.6) - 0.3) - 0.02, pixel * 0.6)


def diagonal(u: Plane, v: Plane, pixel: float, seed: int) -> Weights:
    return _edge(_wave((u + v) * 0.7) - 0.25, pixel), _none(u)


def breton(u: Plane, v: Plane, pixel: float, seed: int) -> Weights:
    """Groups of three thin stripes."""
    place = v * 0.8 - np.floor(v * 0.8)
    return _edge(np.abs(_wave(place * 6) - 0.5) - 0.24, pixel * 5) * (place < 0.5), _none(u)


def gingham(u: Plane, v: Plane, pixel: float, seed: int) -> Weights:
    across, down = _edge(_wave(u) - 0.25, pixel), _edge(_wave(v) - 0.25, pixel)
    return (across + down) * np.float32(0.5), _none(u)


def tartan(u: Plane, v: Plane, pixel: float, seed: int) -> Weights:
    across, down = _edge(_wave(u * 0.6) - 0.2, pixel), _edge(_wave(v * 0.6) - 0.2, pixel)
    thin = np.maximum(_edge(_wave(u * 0.6 + 0.5) - 0.03, pixel), _edge(_wave(v * 0.6 + 0.5) - 0.03, pixel))
    return np.clip((across + down) * 0.55, 0, 1).astype(np.float32), (thin * np.float32(0.9)).astype(np.float32)


def checkerboard(u: Plane, v: Plane, pixel: float, seed: int) -> Weights:
    return _squares(u * np.float32(2), v * np.float32(2), pixel * 2), _none(u)


def _squares(a: Plane, b: Plane, pixel: float) -> Plane:
    """1 and 0 by turns on the unit squares of (a, b), smooth over their edges."""
    sides = [np.clip(_wave(x) / pixel, 0, 1) * np.where(np.floor(x) % 2 == 0, 1, -1) for x in (a, b)]
    return np.asarray(0.5 + 0.5 * sides[0] * sides[1], dtype=np.float32)


def dots(u: Plane, v: Plane, pixel: float, seed: int) -> Weights:
    row = np.floor(v * 1.2)
    x = u * 1.2 + (row % 2) * np.float32(0.5)
    return _edge(np.hypot(_wave(x - 0.5), v * 1.2 - row - 0.5) - 0.24, pixel), _none(u)


def bubbles(u: Plane, v: Plane, pixel: float, seed: int) -> Weights:
    """Large dots of two colours and several sizes."""
    i, j = np.floor(u * 0.7), np.floor(v * 0.7)
    size = _hash(i, j, seed) * np.float32(0.28) + np.float32(0.16)
    disc = _edge(np.hypot(u * 0.7 - i - 0.5, v * 0.7 - j - 0.5) - size, pixel)
    other = (_hash(i, j, seed + 1) > 0.5).astype(np.float32)
    return disc * (1 - other), disc * other


def floral(u: Plane, v: Plane, pixel: float, seed: int) -> Weights:
    """Scattered five-petalled flowers with a heart in the third colour."""
    u, v = u * np.float32(0.72), v * np.float32(0.72)
    i, j = np.floor(u), np.floor(v)
    x = u - i - 0.5 + (_hash(i, j, seed) - 0.5) * np.float32(0.3)
    y = v - j - 0.5 + (_hash(i, j, seed + 1) - 0.5) * np.float32(0.3)
    radius, angle = np.hypot(x, y), np.arctan2(y, x)
    bloom = np.float32(0.34) * (0.68 + 0.32 * np.cos(angle * 5 + _hash(i, j, seed + 2) * np.float32(6.28)))
    return _edge((radius - bloom).astype(np.float32), pixel), _edge((radius - 0.1).astype(np.float32), pixel)


def leaves(u: Plane, v: Plane, pixel: float, seed: int) -> Weights:
    i, j = np.floor(u * 0.9), np.floor(v * 0.9)
    turn = _hash(i, j, seed) * np.float32(6.28)
    x, y = u * 0.9 - i - 0.5, v * 0.9 - j - 0.5
    a, b = x * np.cos(turn) + y * np.sin(turn), -x * np.sin(turn) + y * np.cos(turn)
    blade = (np.abs(b) - 0.22 * (1 - np.clip(np.abs(a) / 0.44, 0, 1) ** 1.6)).astype(np.float32)
    vein = (np.abs(b) - 0.018).astype(np.float32)
    leaf = _edge(np.where(np.abs(a) < 0.44, blade, np.float32(1)).astype(np.float32), pixel)
    return leaf, leaf * _edge(vein, pixel) * np.float32(0.8)


def gradient(u: Plane, v: Plane, pixel: float, seed: int) -> Weights:
    """From the first colour at the top to the second at the bottom (v in object units times the period)."""
    return _none(u), _none(u)


def chevron(u: Plane, v: Plane, pixel: float, seed: int) -> Weights:
    return _edge(_wave(v + _wave(u * 0.8)) - 0.24, pixel), _none(u)


def argyle(u: Plane, v: Plane, pixel: float, seed: int) -> Weights:
    a, b = u * 0.8 + v * 0.5, u * 0.8 - v * 0.5
    cell = _squares(a, b, pixel)
    line = np.minimum(_wave(a + 0.5), _wave(b + 0.5)) - np.float32(0.02)
    return cell, _edge(line, pixel)


def waves(u: Plane, v: Plane, pixel: float, seed: int) -> Weights:
    return _edge(_wave(v + np.sin(u * np.float32(4.2)) * np.float32(0.22)) - 0.2, pixel), _none(u)


def leopard(u: Plane, v: Plane, pixel: float, seed: int) -> Weights:
    """Rosettes: dark rings, broken, with a tinted middle."""
    u, v = u * np.float32(1.15), v * np.float32(1.15)
    i, j = np.floor(u), np.floor(v)
    x = u - i - 0.5 + (_hash(i, j, seed) - 0.5) * np.float32(0.35)
    y = (v - j - 0.5 + (_hash(i, j, seed + 1) - 0.5) * np.float32(0.35)) * np.float32(1.2)
    angle = np.arctan2(y, x) + _hash(i, j, seed + 2) * np.float32(6.28)
    radius = np.hypot(x, y) * (1 + 0.18 * np.sin(angle * 3))
    ring = _edge((np.abs(radius - 0.24) - 0.075).astype(np.float32), pixel) * (np.cos(angle) > -0.75)
    return ring.astype(np.float32), (_edge((radius - 0.18).astype(np.float32), pixel) * np.float32(0.45))


def camouflage(u: Plane, v: Plane, pixel: float, seed: int) -> Weights:
    one = cloud(u * np.float32(0.9), v * np.float32(0.9), seed)
    two = cloud(u * np.float32(1.1), v * np.float32(1.1), seed + 1)
    return _edge(0.12 - one, pixel * 3), _edge(0.4 - two, pixel * 3)


def tie_dye(u: Plane, v: Plane, pixel: float, seed: int) -> Weights:
    radius, angle = np.hypot(u, v), np.arctan2(v, u)
    swirl = np.sin(radius * 3.2 + angle * 2 + cloud(u, v, seed, 3) * 1.3)
    rays = np.sin(angle * 5 - radius * 1.4 + seed % 7)
    return np.clip(swirl * 0.8 + 0.4, 0, 1).astype(np.float32), np.clip(rays * 0.8 - 0.25, 0, 0.8).astype(np.float32)


def stars(u: Plane, v: Plane, pixel: float, seed: int) -> Weights:
    row = np.floor(v * 0.9)
    x = u * 0.9 + (row % 2) * np.float32(0.5)
    x, y = x - np.floor(x) - 0.5, v * 0.9 - row - 0.5
    angle = np.arctan2(x, -y)
    sector = np.abs((angle / np.float32(2 * np.pi / 5) + 0.5) % 1 - 0.5) * 2
    return _edge((np.hypot(x, y) - (0.33 - 0.2 * sector)).astype(np.float32), pixel), _none(u)


def blocks(u: Plane, v: Plane, pixel: float, seed: int) -> Weights:
    """Colour blocking: three broad fields (periods are larger than the object)."""
    line = v * 0.34 + u * np.float32(0.12 * ((seed % 3) - 1))
    return _edge(-line - 0.02, pixel * 0.34), _edge(np.abs(line + 0.02) - 0.055, pixel * 0.34)


def terrazzo(u: Plane, v: Plane, pixel: float, seed: int) -> Weights:
    """Chips of two colours."""
    u, v = u * np.float32(1.5), v * np.float32(1.5)
    i, j = np.floor(u), np.floor(v)
    turn = _hash(i, j, seed) * np.float32(6.28)
    x, y = u - i - 0.5, v - j - 0.5
    a, b = np.abs(x * np.cos(turn) + y * np.sin(turn)), np.abs(-x * np.sin(turn) + y * np.cos(turn))
    chip = _edge(
        (np.maximum(a * 1.1 + b * 0.5, b * 1.3) - 0.34 * _hash(i, j, seed + 1) - 0.04).astype(np.float32), pixel
    )
    other = (_hash(i, j, seed + 2) > 0.55).astype(np.float32)
    return chip * (1 - other), chip * other


PATTERNS: dict[str, Pattern] = {
    function.__name__: function
    for function in (
        plain, heather, stripes, pinstripes, awning, diagonal, breton, gingham, tartan, checkerboard, dots, bubbles,
        floral, leaves, gradient, chevron, argyle, waves, leopard, camouflage, tie_dye, stars, blocks, terrazzo,
    )
}  # fmt: skip
"""Every pattern by name."""
