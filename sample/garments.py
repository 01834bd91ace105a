"""Clothes, laid out flat and seen from the front."""

from __future__ import annotations

import math
from random import Random

from sample.geometry import Part, Path, arc, both, box, curve, fitted, mirrored, pick


def _sleeve(length: float, angle: float, top: float, cuff: float, shoulder: float) -> list[Part]:
    """Both sleeves, behind the body; `angle` in degrees below the horizontal."""
    a = math.radians(angle)
    along, across = (math.cos(a), math.sin(a)), (-math.sin(a), math.cos(a))
    sx, sy = shoulder - 0.06, -0.66
    end = (sx + along[0] * length, sy + along[1] * length)
    inner = (end[0] + across[0] * cuff, end[1] + across[1] * cuff)
    bulge = (sx + along[0] * length * 0.4 - across[0] * 0.03, sy + along[1] * length * 0.4 - across[1] * 0.03)
    path = [
        *curve((sx - 0.12, sy), bulge, end),
        *curve(inner, (shoulder - 0.02, sy + top), (shoulder - 0.16, sy + top)),
    ]
    band = [
        end,
        inner,
        (inner[0] - along[0] * 0.07, inner[1] - along[1] * 0.07),
        (end[0] - along[0] * 0.07, end[1] - along[1] * 0.07),
    ]
    turn = math.pi / 2 - a
    return [
        *both(Part(path, turn=-turn, lift=0.1)),
        *both(Part(band, "second", relief=0.02, lift=0.2, turn=-turn)),
    ]


def _body(
    *,
    shoulder: float,
    chest: float,
    waist: float,
    hem: float,
    bottom: float,
    neck: float,
    depth: float,
    vee: bool = False,
) -> Path:
    collar = (
        [(0.0, -0.7 + depth), (neck, -0.72)]
        if vee
        else curve((0.0, -0.7 + depth), (neck * 0.7, -0.71 + depth * 0.72), (neck, -0.72))
    )
    side = curve((shoulder, -0.64), (shoulder - 0.05, -0.45), (chest, -0.24))
    flank = curve((chest, -0.24), (waist, 0.12), (hem, bottom))
    return mirrored([*collar, *side, *flank, *curve((hem, bottom), (hem * 0.5, bottom + 0.03), (0.0, bottom + 0.035))])


def _neckband(neck: float, depth: float, vee: bool, width: float = 0.05) -> list[Part]:
    """The inside of the back above the collar, and the collar's band."""
    front = (
        [(0.0, -0.7 + depth), (neck, -0.72)]
        if vee
        else curve((0.0, -0.7 + depth), (neck * 0.7, -0.71 + depth * 0.72), (neck, -0.72))
    )
    inside = Part([*mirrored(front)], "inside", relief=0.02, lift=0)
    band = [(x, y) for x, y in reversed(front)] + [(-x, y) for x, y in front[1:]]
    return [inside, Part(band, "second", width=width, lift=0.25)]


def tshirt(r: Random) -> list[Part]:
    vee, depth, neck = r.random() < 0.35, r.uniform(0.1, 0.2), r.uniform(0.16, 0.22)
    chest = r.uniform(0.4, 0.5)
    parts = _sleeve(r.uniform(0.36, 0.5), r.uniform(32, 50), 0.36, r.uniform(0.24, 0.32), 0.46)
    body = _body(
        shoulder=0.46, chest=chest, waist=chest - r.uniform(0, 0.07), hem=chest + r.uniform(-0.03, 0.08),
        bottom=r.uniform(0.55, 0.8), neck=neck, depth=depth + (0.12 if vee else 0), vee=vee,
    )  # fmt: skip
    parts += [Part(body), *_neckband(neck, depth + (0.12 if vee else 0), vee)]
    if r.random() < 0.4:
        parts.append(Part(box(0.1, -0.3, 0.3, -0.08, 0.03), pick(r, "second", "accent", "main"), lift=0.3, relief=0.02))
    return fitted(parts)


def tank(r: Random) -> list[Part]:
    strap, depth = r.uniform(0.06, 0.14), r.uniform(0.28, 0.42)
    inner, chest = r.uniform(0.18, 0.24), r.uniform(0.36, 0.44)
    hem, bottom = chest + r.uniform(-0.04, 0.14), r.uniform(0.5, 0.8)
    half = [
        *curve((0.0, -0.72 + depth), (inner * 0.8, -0.74 + depth * 0.75), (inner, -0.75)),
        *curve((inner + strap, -0.75), (inner + strap, -0.5), (chest, -0.25)),
        *curve((chest, -0.25), (chest - 0.04, 0.1), (hem, bottom)),
        (0.0, bottom + 0.03),
    ]
    edge = curve((-inner, -0.75), (-inner * 0.8, -0.74 + depth * 0.75), (0.0, -0.72 + depth))
    hole = curve((inner + strap, -0.75), (inner + strap, -0.5), (chest, -0.25))
    parts = [Part(mirrored(half)), Part(edge + [(-x, y) for x, y in reversed(edge)], "second", width=0.035)]
    return fitted([*parts, *both(Part(hole, "second", width=0.035))])


def shirt(r: Random) -> list[Part]:
    """A buttoned shirt with a collar; long or short sleeves."""
    long = r.random() < 0.65
    sleeve = _sleeve(1.05, 66, 0.34, 0.17, 0.46) if long else _sleeve(0.42, 46, 0.34, 0.27, 0.46)
    chest, bottom = r.uniform(0.42, 0.48), r.uniform(0.65, 0.82)
    body = _body(shoulder=0.46, chest=chest, waist=chest - 0.02, hem=chest + 0.03, bottom=bottom, neck=0.17, depth=0.05)
    parts = [
        *sleeve,
        Part(body),
        Part(box(-0.045, -0.6, 0.045, bottom + 0.02), pick(r, "main", "second"), relief=0.01),
    ]
    parts += [Part([(0.0, -0.63), (0.17, -0.78), (0.27, -0.66), (0.13, -0.5)], "second", relief=0.03)]
    parts += [Part([(0.0, -0.63), (-0.17, -0.78), (-0.27, -0.66), (-0.13, -0.5)], "second", relief=0.03)]
    for i in range(6):
        parts.append(Part(arc(0, -0.45 + i * (bottom + 0.35) / 6, 0.02, 0.02), "accent", relief=0.01, lift=0.5))
    if r.random() < 0.6:
        parts.append(Part([(0.14, -0.3), (0.34, -0.3), (0.34, -0.1), (0.24, -0.04), (0.14, -0.1)], relief=0.02))
    return fitted(parts)


def hoodie(r: Random) -> list[Part]:
    zipped = r.random() < 0.5
    chest = r.uniform(0.46, 0.54)
    bottom = r.uniform(0.6, 0.72)
    hood = Part(
        [*curve((-0.3, -0.6), (-0.34, -0.85), (-0.2, -1.05), (0, -1.1), (0.2, -1.05), (0.34, -0.85), (0.3, -0.6))]
    )
    opening = Part(arc(0, -0.76, 0.19, 0.24), "inside", relief=0.05, lift=0.2)
    body = _body(shoulder=0.48, chest=chest, waist=chest, hem=chest, bottom=bottom, neck=0.22, depth=0.16)
    parts = [*_sleeve(1.06, r.uniform(62, 70), 0.38, 0.2, 0.5), hood, opening, Part(body)]
    parts.append(Part(box(-chest, bottom - 0.04, chest, bottom + 0.09, 0.03), "second", relief=0.03))
    pocket = [(0.2, 0.08), (0.34, 0.36), (0.34, bottom - 0.06), (-0.34, bottom - 0.06), (-0.34, 0.36), (-0.2, 0.08)]
    parts.append(Part(pocket, pick(r, "main", "second"), relief=0.03))
    if zipped:
        parts.append(Part([(0, -0.52), (0, bottom + 0.08)], "metal", width=0.035))
    for side in (-1, 1):
        parts.append(Part(curve((side * 0.1, -0.56), (side * 0.12, -0.35), (side * 0.1, -0.18)), "accent", width=0.026))
    return fitted(parts)


def sweater(r: Random) -> list[Part]:
    tall = r.random() < 0.4
    chest, bottom = r.uniform(0.46, 0.54), r.uniform(0.55, 0.75)
    body = _body(shoulder=0.46, chest=chest, waist=chest, hem=chest - 0.03, bottom=bottom, neck=0.19, depth=0.1)
    parts = [*_sleeve(1.04, r.uniform(58, 70), 0.38, 0.2, 0.48), Part(body)]
    parts.append(Part(box(-chest + 0.02, bottom - 0.06, chest - 0.02, bottom + 0.07, 0.03), "second", relief=0.03))
    if tall:
        parts.append(Part(box(-0.2, -0.9, 0.2, -0.6, 0.07), "second", relief=0.05))
    else:
        parts += _neckband(0.19, 0.1, False, 0.075)
    return fitted(parts)


def jacket(r: Random) -> list[Part]:
    """Open collar, front closure, pockets; short (blouson) or long (coat)."""
    long = r.random() < 0.4
    chest, bottom = r.uniform(0.46, 0.52), (r.uniform(0.95, 1.15) if long else r.uniform(0.55, 0.75))
    hem = chest + (0.08 if long else -0.01)
    body = _body(shoulder=0.48, chest=chest, waist=chest - 0.03, hem=hem, bottom=bottom, neck=0.2, depth=0.06)
    parts = [*_sleeve(1.1, 67, 0.38, 0.2, 0.5), Part(body)]
    parts.append(Part([(-0.14, -0.72), (0.14, -0.72), (0.0, -0.2)], "accent", relief=0.02, lift=0))
    for side in (-1, 1):
        lapel = [(side * 0.12, -0.76), (side * 0.28, -0.66), (side * 0.32, -0.42), (side * 0.24, -0.4), (0.0, -0.1)]
        parts.append(Part(lapel, "second", relief=0.03, lift=0.5))
        flap = [(side * 0.14, 0.3), (side * 0.4, 0.24), (side * 0.41, 0.34), (side * 0.15, 0.4)]
        parts.append(Part(flap, pick(r, "main", "second"), relief=0.02, lift=0.5))
    parts.append(Part([(0.0, -0.12), (0.0, bottom + 0.03)], "inside", width=0.018, lift=0.2))
    if r.random() < 0.5:
        for i in range(3 if not long else 4):
            parts.append(Part(arc(0.06, -0.02 + 0.2 * i, 0.03, 0.03), "accent", relief=0.015, lift=0.5))
    else:
        parts.append(Part([(0.0, -0.12), (0.0, bottom)], "metal", width=0.03))
    if long and r.random() < 0.6:
        parts.append(Part(box(-chest + 0.02, 0.06, chest - 0.02, 0.17, 0.02), "accent", relief=0.02, lift=0.5))
    return fitted(parts)


def dress(r: Random) -> list[Part]:
    sleeves = r.choice((0.0, 0.3, 0.9))
    waist, hem, bottom = r.uniform(0.22, 0.32), r.uniform(0.36, 0.85), r.uniform(0.95, 1.35)
    vee, neck = r.random() < 0.4, r.uniform(0.16, 0.24)
    depth = r.uniform(0.12, 0.2) + (0.16 if vee else 0)
    parts = _sleeve(sleeves, 48 if sleeves < 0.5 else 68, 0.3, 0.18, 0.38) if sleeves else []
    collar = (
        [(0.0, -0.7 + depth), (neck, -0.72)]
        if vee
        else curve((0.0, -0.7 + depth), (neck * 0.7, -0.71 + depth * 0.72), (neck, -0.72))
    )
    flank = curve((0.36, -0.28), (waist, 0.05), ((waist + hem) / 2 + 0.03, bottom * 0.5), (hem, bottom))
    wave = curve(*[(hem * (1 - i / 6), bottom + (0.05 if i % 2 else 0.01) + 0.04 * i / 6) for i in range(7)])
    parts.append(Part(mirrored([*collar, *curve((0.37, -0.66), (0.33, -0.45), (0.36, -0.28)), *flank, *wave])))
    parts += _neckband(neck, depth, vee, 0.035)
    if r.random() < 0.6:
        parts.append(Part(curve((-waist, 0.05), (0, 0.08), (waist, 0.05)), "accent", width=r.uniform(0.05, 0.1)))
    return fitted(parts)


def skirt(r: Random) -> list[Part]:
    hem, bottom = r.uniform(0.4, 0.9), r.uniform(0.25, 0.95)
    flank = curve((0.32, -0.6), (0.42, -0.3), ((0.4 + hem) / 2, bottom * 0.4), (hem, bottom))
    wave = curve(*[(hem * (1 - i / 6), bottom + (0.06 if i % 2 else 0.0) + 0.05 * i / 6) for i in range(7)])
    parts = [Part(mirrored([(0.0, -0.6), *flank, *wave]))]
    if r.random() < 0.5:
        for i in range(1, 6):
            x = -1 + 2 * i / 6
            parts.append(
                Part(curve((x * 0.3, -0.48), (x * 0.4, -0.2), (x * hem, bottom)), "inside", width=0.012, lift=0.15)
            )
    parts.append(Part(box(-0.33, -0.68, 0.33, -0.56, 0.02), "second", relief=0.03))
    return fitted(parts)


def trousers(r: Random) -> list[Part]:
    return _legs(r, r.uniform(0.85, 1.1), r.choice((0.13, 0.17, 0.22, 0.3)))


def shorts(r: Random) -> list[Part]:
    return _legs(r, r.uniform(-0.05, 0.3), r.uniform(0.28, 0.36))


def _legs(r: Random, bottom: float, cuff: float) -> list[Part]:
    outside = curve((0.34, -0.8), (0.42, -0.45), (0.36 + cuff * 0.3, (bottom - 0.4) / 2), (0.24 + cuff * 0.6, bottom))
    inside = curve((0.24 - cuff * 0.6, bottom + 0.01), (0.1 - cuff * 0.1, bottom * 0.4), (0.0, -0.2))
    legs = both(Part([(0.0, -0.8), *outside, *inside], lift=0.15))
    turnup = box(0.24 - cuff * 0.62, bottom - 0.07, 0.24 + cuff * 0.62, bottom + 0.02, 0.01)
    parts = [*legs]
    if r.random() < 0.5:
        parts += both(Part(turnup, "second", relief=0.02))
    parts.append(Part(box(-0.35, -0.88, 0.35, -0.77, 0.02), pick(r, "second", "accent"), relief=0.03))
    parts.append(Part(curve((0.0, -0.78), (0.02, -0.5), (0.0, -0.22)), "inside", width=0.015, lift=0.1))
    for side in (-1, 1):
        parts.append(
            Part(curve((side * 0.18, -0.77), (side * 0.24, -0.62), (side * 0.38, -0.56)), "inside", width=0.015)
        )
    if r.random() < 0.4:
        parts += both(Part(box(0.26, -0.15, 0.44, 0.1, 0.02), "second", relief=0.02))
    parts.append(Part(arc(0, -0.825, 0.025, 0.025), "metal", relief=0.01))
    return fitted(parts)


def cap(r: Random) -> list[Part]:
    """A cap seen from the side, or a bucket hat."""
    if r.random() < 0.4:
        crown = curve((-0.4, 0.15), (-0.36, -0.35), (-0.2, -0.5), (0.2, -0.5), (0.36, -0.35), (0.4, 0.15))
        brim = curve((-0.42, 0.1), (-0.8, 0.42), (-0.4, 0.56), (0.0, 0.6), (0.4, 0.56), (0.8, 0.42), (0.42, 0.1))
        return fitted(
            [Part(crown), Part([*brim, *curve((0.42, 0.1), (0, 0.2), (-0.42, 0.1))], pick(r, "main", "second"))]
        )
    crown = curve((-0.62, 0.2), (-0.6, -0.25), (-0.3, -0.55), (0.1, -0.55), (0.36, -0.3), (0.42, 0.15))
    peak = curve((0.1, 0.14), (0.6, 0.08), (0.98, 0.26), (0.9, 0.34), (0.5, 0.28), (0.1, 0.24))
    parts = [
        Part(peak, "second", relief=0.04),
        Part([*crown, *curve((0.42, 0.15), (0, 0.28), (-0.62, 0.2))], relief=0.14),
    ]
    parts.append(Part(curve((-0.1, -0.57), (0.02, -0.2), (0.05, 0.24)), "inside", width=0.012, lift=0.1))
    parts.append(Part(arc(-0.1, -0.57, 0.05, 0.035), "accent", relief=0.02))
    badge = arc(0.2, -0.12, 0.11, 0.11) if r.random() < 0.5 else box(0.08, -0.2, 0.32, -0.04, 0.03)
    return fitted([*parts, Part(badge, "accent", relief=0.02)])
