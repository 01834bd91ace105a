"""Tableware and vases: turned bodies, with handles, lids and rims."""

from __future__ import annotations

from random import Random

from sample.geometry import Material, Part, Path, Point, arc, box, curve, fitted, mirrored, pick


def _turned(*profile: Point, bulge: float = 0.05) -> Path:
    """A turned body from its right-hand profile, top to bottom; the foot is slightly rounded."""
    x, y = profile[-1]
    return mirrored(
        [(0.0, profile[0][1]), *curve(*profile), *curve((x, y), (x * 0.6, y + bulge * 0.8), (0.0, y + bulge))]
    )


def _rim(x: float, y: float, depth: float = 0.07) -> list[Part]:
    """The opening of a vessel: its edge and the dark inside."""
    return [
        Part(arc(0, y, x, depth), "second", relief=0.02, lift=0.0),
        Part(arc(0, y + 0.008, x * 0.9, depth * 0.78), "inside", relief=0.04, lift=0.0),
    ]


def mug(r: Random) -> list[Part]:
    wide, low, high = r.uniform(0.42, 0.55), r.uniform(0.34, 0.54), r.uniform(0.45, 0.75)
    reach = r.uniform(0.2, 0.34)
    handle = curve(
        (wide * 0.9, -high * 0.55), (wide + reach, -high * 0.5), (wide + reach, high * 0.4), (low * 0.92, high * 0.55)
    )
    parts = [Part(handle, pick(r, "second", "accent"), width=r.uniform(0.08, 0.13))]
    parts.append(
        Part(_turned((wide, -high), ((wide + low) / 2 + r.uniform(-0.06, 0.1), 0.0), (low, high)), shading="round")
    )
    if r.random() < 0.4:
        parts.append(
            Part(
                curve((-low, high * 0.85), (0, high * 0.85 + 0.06), (low, high * 0.85)), "second", width=0.09, lift=0.1
            )
        )
    return fitted([*parts, *_rim(wide, -high)])


def teacup(r: Random) -> list[Part]:
    """A cup on its saucer."""
    high = r.uniform(0.34, 0.46)
    saucer = [
        Part(arc(0, 0.46, 0.92, 0.2), "second", relief=0.05),
        Part(arc(0, 0.44, 0.74, 0.14), relief=0.05, lift=0.1),
    ]
    handle = curve((0.46, -high + 0.2), (0.8, -high + 0.12), (0.7, 0.16), (0.34, 0.2))
    body = _turned((0.56, -high), (0.52, 0.0), (0.28, 0.36), (0.2, 0.42), bulge=0.03)
    return fitted([*saucer, Part(handle, "accent", width=0.07), Part(body, shading="round"), *_rim(0.56, -high, 0.1)])


def plate(r: Random) -> list[Part]:
    """A plate from above: rim, rings, mirror."""
    ring, tall = r.uniform(0.55, 0.75), r.choice((1.0, 1.0, 0.72))
    pairs: tuple[tuple[Material, Material], ...] = (
        ("main", "second"), ("second", "main"), ("main", "sole"), ("sole", "main"),
    )  # fmt: skip
    inner, outer = r.choice(pairs)
    parts = [Part(arc(0, 0, 0.95, 0.95 * tall), outer, relief=0.06)]
    if r.random() < 0.7:
        parts.append(Part(arc(0, 0, 0.92, 0.92 * tall), "accent", width=0.03, lift=0))
    parts.append(Part(arc(0, 0, ring, ring * tall), inner, relief=0.09, lift=0.25))
    if r.random() < 0.5:
        parts.append(Part(arc(0, 0, ring * 0.8, ring * 0.8 * tall), "accent", width=0.022, lift=0))
    if r.random() < 0.4:
        parts.append(Part(arc(0, 0, ring * 0.4, ring * 0.4 * tall), "second", relief=0.03, lift=0.1))
    return fitted(parts)


def bowl(r: Random) -> list[Part]:
    wide, deep, foot = 0.9, r.uniform(0.5, 0.85), r.uniform(0.26, 0.42)
    body = _turned((wide, -0.3), (wide * 0.9, -0.3 + deep * 0.5), (foot, -0.3 + deep))
    parts = [
        Part(box(-foot, -0.34 + deep, foot, -0.2 + deep, 0.03), "second", shading="round"),
        Part(body, shading="round"),
    ]
    if r.random() < 0.5:
        parts.append(Part(curve((-wide * 0.97, -0.1), (0, 0.1), (wide * 0.97, -0.1)), "accent", width=0.07, lift=0.05))
    return fitted([*parts, *_rim(wide, -0.3, r.uniform(0.14, 0.26))])


def teapot(r: Random) -> list[Part]:
    wide, high = r.uniform(0.48, 0.6), r.uniform(0.4, 0.56)
    spout = [
        *curve((wide * 0.7, 0.2), (wide + 0.14, 0.08), (wide + 0.26, -high * 0.8)),
        *curve((wide + 0.4, -high * 0.8), (wide + 0.28, 0.16), (wide * 0.7, 0.42)),
    ]
    handle = curve((-wide * 0.85, -high * 0.4), (-wide - 0.34, -high * 0.5), (-wide - 0.3, 0.3), (-wide * 0.8, 0.36))
    if r.random() < 0.35:
        handle = curve(
            (-wide * 0.7, -high * 0.7), (-wide * 0.6, -high - 0.6), (wide * 0.6, -high - 0.6), (wide * 0.7, -high * 0.7)
        )
    parts = [Part(spout, "second", relief=0.06), Part(handle, pick(r, "second", "accent", "wood"), width=0.09)]
    parts.append(
        Part(
            _turned((0.26, -high), (wide * 0.85, -high * 0.6), (wide, 0.1), (0.34, high + 0.1)),
            shading="round",
            relief=0.1,
        )
    )
    parts.append(
        Part(
            mirrored(
                [
                    (0.0, -high - 0.18),
                    *curve((0.1, -high - 0.17), (0.28, -high - 0.05), (0.3, -high + 0.02)),
                    (0.0, -high + 0.06),
                ]
            ),
            "second",
            shading="round",
        )
    )
    return fitted([*parts, Part(arc(0, -high - 0.22, 0.08, 0.07), "accent", relief=0.03)])


def vase(r: Random) -> list[Part]:
    neck, belly, foot = r.uniform(0.12, 0.34), r.uniform(0.36, 0.62), r.uniform(0.18, 0.36)
    at = r.uniform(-0.2, 0.45)
    lip = neck + r.uniform(0.0, 0.14)
    body = _turned((lip, -0.9), (neck, -0.7), (belly, at), (foot, 0.85))
    parts: list[Part] = []
    if r.random() < 0.4:
        for side in (-1, 1):
            loop = curve((side * neck, -0.62), (side * (belly + 0.2), -0.5), (side * belly * 0.9, at - 0.1))
            parts.append(Part(loop, "second", width=0.07))
    parts.append(Part(body, shading="glossy" if r.random() < 0.5 else "round", relief=0.09))
    if r.random() < 0.5:
        parts.append(
            Part(
                curve((-belly * 0.99, at), (0, at + 0.07), (belly * 0.99, at)),
                pick(r, "second", "accent"),
                width=r.uniform(0.05, 0.14),
                lift=0.05,
            )
        )
    return fitted([*parts, *_rim(lip, -0.9, 0.055)])


def pitcher(r: Random) -> list[Part]:
    neck, belly = r.uniform(0.24, 0.34), r.uniform(0.42, 0.55)
    handle = curve((neck * 0.9, -0.75), (belly + 0.36, -0.7), (belly + 0.3, 0.1), (belly * 0.95, 0.3))
    lip = [(-neck - 0.2, -0.98), (-neck * 0.4, -0.86), (-neck * 0.9, -0.55)]
    body = _turned((neck + 0.03, -0.86), (neck, -0.6), (belly, 0.3), (belly * 0.7, 0.85))
    parts = [Part(handle, pick(r, "second", "accent"), width=0.1), Part(lip, "main", relief=0.04)]
    parts.append(Part(body, shading="round", relief=0.09))
    if r.random() < 0.5:
        parts.append(Part(curve((-neck, -0.58), (0, -0.53), (neck, -0.58)), "accent", width=0.06, lift=0.1))
    return fitted([*parts, *_rim(neck + 0.03, -0.86, 0.06)])


def bottle(r: Random) -> list[Part]:
    """A flask or thermos bottle."""
    wide, neck, shoulder = r.uniform(0.24, 0.38), r.uniform(0.1, 0.2), r.uniform(-0.5, -0.2)
    body = _turned((neck, -0.72), (neck + 0.02, -0.62), (wide, shoulder), (wide, 0.3), (wide * 0.97, 0.9), bulge=0.02)
    parts = [Part(body, shading="glossy", relief=0.07)]
    parts.append(
        Part(
            box(-neck - 0.04, -0.95, neck + 0.04, -0.68, 0.04),
            pick(r, "second", "wood", "metal", "dark"),
            shading="round",
        )
    )
    if r.random() < 0.5:
        parts.append(
            Part(curve((-neck, -0.9), (-neck - 0.1, -1.1), (neck + 0.1, -1.1), (neck, -0.9)), "accent", width=0.05)
        )
    if r.random() < 0.6:
        y = r.uniform(0.0, 0.4)
        parts.append(
            Part([(-wide, y), (wide, y), (wide, y + 0.26), (-wide, y + 0.26)], "second", shading="round", lift=0)
        )
    return fitted([*parts, Part(box(-wide, 0.8, wide, 0.93, 0.03), "accent", shading="round", lift=0)])
