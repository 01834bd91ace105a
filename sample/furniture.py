"""Furniture and lamps, seen from the front."""

from __future__ import annotations

from random import Random

from sample.geometry import Material, Part, arc, both, box, curve, fitted, mirrored, pick


def _leg_material(r: Random) -> Material:
    return pick(r, "wood", "dark", "metal", "second")


def sofa(r: Random) -> list[Part]:
    seats, radius = r.choice((2, 2, 3)), r.uniform(0.05, 0.22)
    back, arm = r.uniform(0.34, 0.5), r.uniform(0.12, 0.24)
    legs = _leg_material(r)
    parts = both(Part([(0.78, 0.42), (0.82 + r.uniform(0, 0.08), 0.62)], legs, width=0.07))
    parts.append(Part(box(-0.88, -back, 0.88, 0.35, radius), relief=0.1))
    span = 2 * (0.95 - arm) / seats
    for i in range(seats):
        x = -0.95 + arm + i * span
        parts.append(Part(box(x + 0.01, -back + 0.05, x + span - 0.01, 0.12, 0.1), relief=0.1, lift=0.3))
    for i in range(seats):
        x = -0.95 + arm + i * span
        parts.append(
            Part(box(x + 0.005, 0.05, x + span - 0.005, 0.26, 0.07), pick(r, "main", "main", "second"), relief=0.06)
        )
    parts.append(Part(box(-0.9, 0.24, 0.9, 0.44, 0.03), relief=0.04))
    parts += both(Part(box(0.95 - arm, -back * r.uniform(0.1, 0.5), 0.97, 0.45, radius), relief=0.09, lift=0.4))
    if r.random() < 0.7:
        parts.append(Part(box(-0.6, -0.2, -0.3, 0.1, 0.06), "accent", relief=0.09))
    if r.random() < 0.5:
        parts.append(Part(box(0.34, -0.2, 0.62, 0.08, 0.06), "second", relief=0.09))
    return fitted(parts)


def armchair(r: Random) -> list[Part]:
    back, wide = r.uniform(0.6, 0.95), r.uniform(0.5, 0.62)
    legs = _leg_material(r)
    parts = both(Part([(wide * 0.8, 0.5), (wide * 0.95, 0.85)], legs, width=0.07))
    top = curve((0.0, -back), (wide * 0.6, -back + 0.03), (wide * 0.85, -back * 0.6), (wide * 0.8, 0.3))
    parts.append(Part(mirrored([*top, (0.0, 0.34)]), relief=0.14))
    if r.random() < 0.5:
        for x, y in (
            (0, -back * 0.6),
            (0.22, -back * 0.5),
            (-0.22, -back * 0.5),
            (0.12, -back * 0.2),
            (-0.12, -back * 0.2),
        ):
            parts.append(Part(arc(x, y, 0.025, 0.025), "accent", relief=0.01, lift=0.5))
    parts.append(Part(box(-wide * 0.8, 0.14, wide * 0.8, 0.4, 0.1), pick(r, "main", "second"), relief=0.08))
    parts.append(Part(box(-wide * 0.85, 0.36, wide * 0.85, 0.58, 0.03), relief=0.05))
    arm = Part(
        curve(
            (wide * 0.72, -0.08),
            (wide * 1.1, -0.12),
            (wide * 1.14, 0.2),
            (wide * 1.05, 0.6),
            (wide * 0.8, 0.6),
            (wide * 0.76, 0.2),
            closed=True,
        ),
        relief=0.09,
    )
    parts += both(arm)
    if r.random() < 0.5:
        parts.append(Part(box(-0.22, -0.2, 0.22, 0.16, 0.07), "accent", relief=0.1))
    return fitted(parts)


def chair(r: Random) -> list[Part]:
    """A dining chair: seat, back, four legs."""
    legs = _leg_material(r)
    splay, back = r.uniform(0.0, 0.12), r.uniform(0.7, 0.95)
    parts = both(Part([(0.3, 0.1), (0.26 + splay, 0.75)], legs, width=0.045))
    parts += both(Part([(0.36, 0.1), (0.38 + splay, 0.9)], legs, width=0.06))
    style = r.randrange(3)
    if style == 0:
        parts.append(Part(box(-0.36, -back, 0.36, -0.05, r.uniform(0.06, 0.3)), relief=0.08))
    elif style == 1:
        parts += both(Part([(0.34, 0.05), (0.36, -back)], legs, width=0.06))
        for i in range(r.choice((2, 3, 4))):
            y = -back + 0.02 + i * 0.2
            parts.append(Part(box(-0.36, y, 0.36, y + 0.12, 0.04), relief=0.03))
    else:
        parts.append(Part(arc(0, -back * 0.55, 0.38, back * 0.5), relief=0.1))
    seat = [
        *curve((-0.44, 0.12), (-0.4, 0.0), (0.4, 0.0), (0.44, 0.12)),
        *curve((0.44, 0.18), (0.0, 0.24), (-0.44, 0.18)),
    ]
    parts.append(Part(seat, pick(r, "main", "second"), relief=0.05))
    if r.random() < 0.4:
        parts.append(Part([(-0.36, 0.55), (0.36, 0.55)], legs, width=0.035))
    return fitted(parts)


def table(r: Random) -> list[Part]:
    height, legs = r.uniform(0.5, 0.8), _leg_material(r)
    style = r.randrange(3)
    parts: list[Part] = []
    if style == 0:
        parts += both(Part([(0.62, 0.0), (0.62, height * 0.88)], legs, width=0.06))
        parts += both(Part([(0.82, 0.0), (0.86 + r.uniform(-0.1, 0.05), height)], legs, width=0.08))
        if r.random() < 0.5:
            parts.append(Part(box(-0.7, height * 0.6, 0.7, height * 0.68), "second", relief=0.02))
    elif style == 1:
        parts.append(Part([(0.0, 0.0), (0.0, height * 0.9)], legs, width=0.12))
        foot = mirrored([*curve((0.0, height * 0.82), (0.1, height * 0.86), (0.45, height)), (0.0, height)])
        parts.append(Part(foot, legs, relief=0.04))
    else:
        parts += both(Part([(0.35, 0.0), (0.75, height)], legs, width=0.07))
        parts += both(Part([(0.35, 0.0), (0.1, height)], legs, width=0.07))
    thick = r.uniform(0.05, 0.12)
    if r.random() < 0.5:
        depth = r.uniform(0.14, 0.24)
        parts.append(Part(arc(0, thick, 0.95, depth), "second", relief=0.02))
        parts.append(Part(arc(0, 0, 0.95, depth), relief=0.03, lift=0.0))
    else:
        parts.append(Part([(-0.78, -0.2), (0.78, -0.2), (0.96, 0.0), (-0.96, 0.0)], relief=0.02))
        parts.append(Part(box(-0.96, 0.0, 0.96, thick), "second", relief=0.02))
        if r.random() < 0.5:
            parts.append(Part(box(-0.3, thick, 0.3, thick + 0.16, 0.01), "main", relief=0.02))
            parts.append(Part(arc(0, thick + 0.08, 0.03, 0.03), "metal", relief=0.01))
    return fitted(parts)


def cabinet(r: Random) -> list[Part]:
    """Drawers or doors on legs."""
    wide, high = r.uniform(0.5, 0.95), r.uniform(0.45, 0.85)
    columns, rows = r.choice((1, 2, 2, 3)), r.choice((1, 2, 3, 4))
    parts = both(Part([(wide * 0.85, high), (wide * 0.9, high + r.uniform(0.12, 0.3))], _leg_material(r), width=0.07))
    parts.append(Part(box(-wide, -high, wide, high, 0.02), pick(r, "second", "wood", "main"), relief=0.03))
    for i in range(columns):
        for j in range(rows):
            x0, y0 = -wide + 0.05 + i * (2 * wide - 0.1) / columns, -high + 0.06 + j * (2 * high - 0.12) / rows
            x1, y1 = x0 + (2 * wide - 0.1) / columns - 0.03, y0 + (2 * high - 0.12) / rows - 0.03
            face: Material = "main" if (i + j) % 2 == 0 or r.random() < 0.7 else "accent"
            parts.append(Part(box(x0, y0, x1, y1, 0.015), face, relief=0.02, lift=0.45))
            parts.append(Part(arc((x0 + x1) / 2, (y0 + y1) / 2, 0.035, 0.035), "metal", relief=0.015, lift=0.5))
    parts.append(Part(box(-wide - 0.03, -high - 0.05, wide + 0.03, -high + 0.02, 0.01), "wood", relief=0.02))
    return fitted(parts)


def bookcase(r: Random) -> list[Part]:
    wide, high, shelves = r.uniform(0.42, 0.7), 0.92, r.choice((3, 4, 5))
    parts = [Part(box(-wide, -high, wide, high), "inside", relief=0.02)]
    step = (2 * high - 0.06) / shelves
    for j in range(shelves):
        y = -high + 0.03 + (j + 1) * step
        x = -wide + 0.08
        while x < wide - 0.16 and r.random() < 0.92:
            w, h = r.uniform(0.05, 0.11), r.uniform(0.5, 0.85) * step
            parts.append(
                Part(box(x, y - h, x + w, y), pick(r, "second", "accent", "sole", "wood"), relief=0.015, lift=0.2)
            )
            x += w + 0.008
    for j in range(shelves + 1):
        y = -high + 0.03 + j * step
        parts.append(Part(box(-wide, y - 0.03, wide, y + 0.03), relief=0.015, lift=0.4))
    return fitted([*parts, *both(Part(box(wide - 0.06, -high, wide, high), relief=0.015))])


def stool(r: Random) -> list[Part]:
    legs, height, wide = _leg_material(r), r.uniform(0.5, 1.1), r.uniform(0.32, 0.46)
    parts = both(Part([(wide * 0.35, 0.0), (wide * 0.5, height * 0.9)], legs, width=0.05))
    parts += both(Part([(wide * 0.75, 0.0), (wide * 1.1, height)], legs, width=0.06))
    parts.append(Part([(-wide * 0.95, height * 0.6), (wide * 0.95, height * 0.6)], legs, width=0.04))
    parts.append(Part(box(-wide, -0.02, wide, r.uniform(0.1, 0.24), 0.08), relief=0.06))
    return fitted([*parts, Part(arc(0, 0.0, wide, 0.1), pick(r, "main", "second"), relief=0.05, lift=0.15)])


def lamp(r: Random) -> list[Part]:
    """A table or floor lamp with a shade."""
    floor = r.random() < 0.35
    height, top, low = (1.5 if floor else r.uniform(0.55, 0.85)), r.uniform(0.2, 0.42), r.uniform(0.42, 0.62)
    parts = [Part([(0.0, 0.1), (0.0, height)], pick(r, "metal", "wood", "dark"), width=0.055)]
    if not floor and r.random() < 0.65:
        belly = r.uniform(0.16, 0.34)
        foot = curve((0.05, 0.15), (belly, height * 0.5), (belly * 0.6, height * 0.9), (belly * 0.7, height))
        parts.append(Part(mirrored([(0.0, 0.15), *foot, (0.0, height)]), "second", shading="glossy", relief=0.08))
    parts.append(
        Part(
            mirrored([(0.0, height - 0.05), *curve((0.1, height - 0.03), (0.3, height + 0.06)), (0.0, height + 0.07)]),
            "dark",
            relief=0.03,
        )
    )
    shade = mirrored([(0.0, -0.55), (top, -0.55), (low, 0.15), *curve((low, 0.15), (low * 0.5, 0.2), (0.0, 0.21))])
    parts.append(Part(shade, shading="round", relief=0.05))
    parts.append(Part([(-top, -0.55), (top, -0.55)], "accent", width=0.035))
    return fitted([*parts, Part(curve((-low, 0.15), (0.0, 0.22), (low, 0.15)), "accent", width=0.035)])
