"""Bags and luggage, seen from the front."""

from __future__ import annotations

from random import Random

from sample.geometry import Part, arc, both, box, curve, fitted, mirrored, pick


def tote(r: Random) -> list[Part]:
    top, bottom, height = r.uniform(0.5, 0.7), r.uniform(0.42, 0.6), r.uniform(0.75, 1.05)
    rise, reach = r.uniform(0.35, 0.6), r.uniform(0.2, 0.32)
    handle = curve((-reach, 0.0), (-reach * 0.9, -rise * 0.8), (0, -rise), (reach * 0.9, -rise * 0.8), (reach, 0.0))
    body = mirrored(
        [(0.0, -0.02), (top, -0.02), *curve((top, -0.02), ((top + bottom) / 2, height * 0.5), (bottom, height))]
    )
    back = [(x, y - 0.06) for x, y in handle]
    strap = pick(r, "second", "accent")
    parts = [Part(back, "dark", width=0.06), Part(body, relief=0.1), Part(handle, strap, width=0.075)]
    parts += both(Part([(reach, -0.02), (reach, height * r.uniform(0.2, 1.0))], strap, width=0.075, lift=0.2))
    if r.random() < 0.5:
        parts.append(Part(box(-0.24, height * 0.3, 0.24, height * 0.75, 0.04), "second", relief=0.03))
    if r.random() < 0.4:
        parts.append(
            Part(
                mirrored([(0, height * 0.78), (bottom + 0.02, height * 0.78), (bottom, height), (0, height)]), "second"
            )
        )
    return fitted(parts)


def backpack(r: Random) -> list[Part]:
    width, height = r.uniform(0.5, 0.62), r.uniform(0.75, 0.9)
    parts = [
        Part(
            curve((-0.16, -height), (-0.1, -height - 0.22), (0.1, -height - 0.22), (0.16, -height)), "dark", width=0.06
        )
    ]
    parts += both(
        Part(curve((width * 0.7, -height * 0.7), (width + 0.2, -0.1), (width * 0.95, height * 0.8)), "dark", width=0.1)
    )
    parts.append(Part(box(-width, -height, width, height, r.uniform(0.2, 0.5)), relief=0.16))
    pocket = r.uniform(0.0, 0.25)
    parts.append(
        Part(box(-width * 0.78, pocket, width * 0.78, height * 0.88, 0.12), pick(r, "second", "main"), relief=0.08)
    )
    parts.append(Part([(-width * 0.7, pocket + 0.1), (width * 0.7, pocket + 0.1)], "metal", width=0.025))
    style = r.randrange(3)
    if style == 0:
        flap = mirrored(
            [(0.0, -height), *curve((width * 0.9, -height + 0.06), (width, -0.3), (width * 0.8, 0.02)), (0.0, 0.06)]
        )
        parts.append(Part(flap, "second", relief=0.08))
        parts += both(Part([(width * 0.45, -0.2), (width * 0.45, 0.3)], "accent", width=0.07))
        parts += both(Part(box(width * 0.45 - 0.06, 0.08, width * 0.45 + 0.06, 0.2, 0.02), "metal", relief=0.02))
    elif style == 1:
        arch = curve(
            (-width * 0.86, -0.05),
            (-width * 0.7, -height * 0.76),
            (0, -height * 0.86),
            (width * 0.7, -height * 0.76),
            (width * 0.86, -0.05),
        )
        parts.append(Part(arch, "metal", width=0.025))
        parts.append(Part(box(-0.14, -0.42, 0.14, -0.22, 0.03), "accent", relief=0.02))
    else:
        parts.append(Part([(-width, -0.15), (width, -0.15)], "accent", width=0.09))
        parts.append(Part(arc(0, -0.45, 0.13, 0.13), "accent", relief=0.03))
    return fitted(parts)


def handbag(r: Random) -> list[Part]:
    """A satchel with a flap, a clasp and a handle or chain."""
    width, height = r.uniform(0.62, 0.8), r.uniform(0.5, 0.72)
    rise = r.uniform(0.35, 0.75)
    handle = curve(
        (-width * 0.6, 0.0), (-width * 0.5, -rise * 0.8), (0, -rise), (width * 0.5, -rise * 0.8), (width * 0.6, 0.0)
    )
    parts = [Part(handle, pick(r, "metal", "second", "accent"), width=r.uniform(0.04, 0.09))]
    body = mirrored(
        [(0.0, 0.0), *curve((width * 0.86, 0.0), (width, height * 0.55), (width * 0.94, height)), (0.0, height + 0.02)]
    )
    parts.append(Part(body, relief=0.12))
    drop = height * r.uniform(0.4, 0.7)
    shape = r.randrange(3)
    if shape == 0:
        flap = mirrored(
            [
                (0.0, -0.03),
                *curve((width * 0.86, -0.02), (width * 0.9, drop * 0.6), (width * 0.5, drop), (0.0, drop + 0.05)),
            ]
        )
    elif shape == 1:
        flap = mirrored([(0.0, -0.03), (width * 0.87, -0.02), (width * 0.9, drop * 0.4), (0.0, drop + 0.12)])
    else:
        flap = mirrored([(0.0, -0.03), (width * 0.87, -0.02), (width * 0.9, drop), (0.0, drop)])
    parts.append(Part(flap, pick(r, "second", "main", "second"), relief=0.07, lift=0.5))
    clasp = arc(0, drop, 0.07, 0.07) if r.random() < 0.5 else box(-0.09, drop - 0.06, 0.09, drop + 0.08, 0.02)
    return fitted([*parts, Part(clasp, pick(r, "metal", "accent"), relief=0.03)])


def duffel(r: Random) -> list[Part]:
    height = r.uniform(0.4, 0.5)
    body = box(-0.95, -height, 0.95, height, r.uniform(0.22, 0.4))
    parts = [
        Part(curve((-0.9, -0.2), (-0.5, -0.85), (0.5, -0.85), (0.9, -0.2)), "dark", width=0.05),
        Part(body, relief=0.2),
    ]
    ends = pick(r, "second", "accent", "main")
    parts += both(Part(box(0.68, -height * 0.96, 0.95, height * 0.96, 0.2), ends, relief=0.08, lift=0.2))
    parts.append(Part([(-0.6, -height + 0.07), (0.6, -height + 0.07)], "metal", width=0.03))
    handle = curve((-0.3, 0.1), (-0.28, -height - 0.1), (0.0, -height - 0.24), (0.28, -height - 0.1), (0.3, 0.1))
    parts.append(Part(handle, "second", width=0.075))
    parts += both(Part([(0.3, 0.05), (0.3, height - 0.02)], "second", width=0.075, lift=0.2))
    if r.random() < 0.6:
        parts.append(Part(box(-0.2, -0.05, 0.2, height * 0.75, 0.05), "accent", relief=0.03))
    return fitted(parts)


def suitcase(r: Random) -> list[Part]:
    width, height = r.uniform(0.46, 0.6), r.uniform(0.68, 0.8)
    parts = [Part(box(-0.2, -height - 0.42, 0.2, -height + 0.1, 0.05), "metal", width=0.05)]
    parts += both(Part(arc(width * 0.78, height + 0.04, 0.08, 0.09), "dark", relief=0.03))
    parts.append(Part(box(-width, -height, width, height, 0.14), relief=0.1, shading="glossy"))
    style = r.randrange(3)
    if style == 0:
        for i in range(-3, 4):
            x = i * width / 4
            parts.append(Part([(x, -height * 0.88), (x, height * 0.88)], "inside", width=0.02, lift=0.1))
    elif style == 1:
        parts += both(Part([(width * 0.5, -height), (width * 0.5, height)], "second", width=0.1))
    else:
        parts.append(Part([(-width, 0.0), (width, 0.0)], "second", width=0.08))
    parts.append(Part(box(-0.12, -height + 0.04, 0.12, -height + 0.14, 0.03), "dark", relief=0.02))
    if r.random() < 0.5:
        parts += [
            Part(
                box(sx * width - 0.13, sy * height - 0.13, sx * width + 0.13, sy * height + 0.13, 0.1),
                "accent",
                relief=0.03,
            )
            for sx, sy in ((-0.85, -0.88), (0.85, -0.88), (-0.85, 0.88), (0.85, 0.88))
        ]
    return fitted(parts)
