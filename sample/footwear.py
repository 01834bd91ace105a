"""Shoes, seen from the side, toe to the right."""

from __future__ import annotations

from random import Random

from sample.geometry import Part, Path, arc, box, curve, fitted, pick


def sneaker(r: Random) -> list[Part]:
    """A running shoe: thick sole, laces, marks on the side."""
    high = r.random() < 0.35
    top, thick = (-0.62 if high else -0.3), r.uniform(0.14, 0.24)
    upper = [
        *curve((-0.84, 0.3), (-0.9, 0.05), (-0.84, top), (-0.7, top - 0.04)),
        *curve((-0.66, top), (-0.45, top + 0.12), (-0.24, top - 0.1)),
        *curve((-0.16, top - 0.14), (0.1, -0.12), (0.4, 0.02), (0.76, 0.1), (0.94, 0.26), (0.92, 0.36)),
    ]
    heel, toe = r.uniform(0.0, 0.06), r.uniform(0.02, 0.1)
    sole = [
        *curve((-0.9, 0.24), (-0.5, 0.3), (0.0, 0.3), (0.5, 0.28), (0.97, 0.24)),
        *curve((1.0, 0.28), (0.97, 0.3 + thick - toe), (0.85, 0.3 + thick)),
        *curve((0.4, 0.31 + thick), (-0.3, 0.31 + thick), (-0.85, 0.3 + thick + heel), (-0.98, 0.3 + thick - 0.05)),
    ]
    tongue = curve((-0.3, top - 0.02), (-0.2, top - 0.24), (-0.04, top - 0.16), (0.0, -0.1))
    parts = [Part(tongue, "second", relief=0.04), Part(upper, relief=0.12)]
    cap = [*curve((0.6, 0.3), (0.6, 0.15), (0.7, 0.09), (0.84, 0.14), (0.95, 0.3))]
    parts.append(Part(cap, pick(r, "second", "accent", "main"), relief=0.06, lift=0.2))
    counter = curve((-0.84, 0.28), (-0.9, 0.0), (-0.84, -0.2), (-0.62, -0.02), (-0.5, 0.28))
    parts.append(Part(counter, pick(r, "second", "accent"), relief=0.05, lift=0.2))
    mark = r.randrange(4)
    if mark == 0:
        for i in range(3):
            parts.append(Part([(-0.3 + 0.16 * i, 0.26), (-0.16 + 0.16 * i, -0.06 + 0.05 * i)], "accent", width=0.06))
    elif mark == 1:
        swoosh = curve((-0.5, 0.1), (-0.2, 0.22), (0.36, 0.02), (-0.1, 0.13), (-0.4, 0.0))
        parts.append(Part(swoosh, "accent", relief=0.02))
    elif mark == 2:
        parts.append(Part(arc(-0.12, 0.08, 0.13, 0.13), "accent", relief=0.02))
    else:
        parts.append(Part(curve((-0.6, 0.2), (-0.2, -0.02), (0.1, 0.2), (0.5, 0.12)), "accent", width=0.05))
    for i in range(4 if not high else 6):
        x, y = 0.26 - i * 0.12, 0.0 - i * (0.05 if not high else 0.1)
        parts.append(Part([(x - 0.1, y + 0.08), (x + 0.04, y - 0.05)], "sole", width=0.04))
    parts.append(Part(sole, "sole", relief=0.05))
    if r.random() < 0.5:
        parts.append(
            Part(
                curve((-0.93, 0.3 + thick * 0.6), (0, 0.34 + thick * 0.5), (0.97, 0.3 + thick * 0.5)),
                "accent",
                width=0.05,
            )
        )
    return fitted(parts)


def boot(r: Random) -> list[Part]:
    shaft, heel = r.uniform(-1.15, -0.5), r.uniform(0.08, 0.3)
    width = r.uniform(0.34, 0.46)
    upper = [
        *curve((-0.62, 0.42), (-0.66, 0.1), (-0.6, shaft)),
        *curve((-0.6 + width, shaft - 0.03), (-0.16, -0.2), (-0.02, 0.0), (0.4, 0.12), (0.66, 0.26), (0.68, 0.42)),
    ]
    sole = [(-0.66, 0.4), (0.7, 0.4), (0.72, 0.48), (-0.05, 0.5), (-0.2, 0.48 + heel), (-0.66, 0.48 + heel)]
    parts = [Part(upper, relief=0.12), Part(sole, pick(r, "dark", "sole", "wood"), relief=0.03)]
    parts.append(Part([(-0.61, shaft), (-0.6 + width, shaft - 0.03)], "second", width=0.09))
    style = r.randrange(3)
    if style == 0:
        for i in range(5):
            y = -0.05 + i * (shaft + 0.15) / 5
            parts.append(Part([(-0.32, y + 0.04), (-0.1, y - 0.03)], "accent", width=0.035))
    elif style == 1:
        panel = [(-0.5, -0.1), (-0.3, -0.1), (-0.27, shaft + 0.08), (-0.52, shaft + 0.08)]
        parts.append(Part(panel, "second", relief=0.03))
    else:
        parts.append(Part([(-0.65, -0.02), (-0.1, -0.1)], "second", width=0.08))
        parts.append(Part(box(-0.36, -0.13, -0.22, 0.01, 0.02), "metal", relief=0.02))
    return fitted(parts)


def pump(r: Random) -> list[Part]:
    """A shoe with a heel, high or block."""
    heel = r.uniform(0.25, 0.75)
    slim = r.random() < 0.6
    lift = -heel
    upper = [
        *curve((-0.8, lift + 0.12), (-0.84, lift - 0.12), (-0.74, lift - 0.28)),
        *curve((-0.66, lift - 0.2), (-0.4, lift * 0.55 + 0.04), (0.1, 0.08), (0.4, 0.06)),
        *curve((0.6, 0.06), (0.86, 0.2), (0.92, 0.3)),
        *curve((0.6, 0.34), (0.2, 0.32), (-0.3, lift * 0.45 + 0.22), (-0.8, lift + 0.14)),
    ]
    foot = 0.05 if slim else 0.16
    block = [(-0.82, lift + 0.04), (-0.5, lift * 0.75 + 0.1), (-0.72 + foot, 0.36), (-0.72 - foot * 0.5, 0.36)]
    parts = [Part(block, pick(r, "second", "main", "wood"), relief=0.05), Part(upper, relief=0.09, shading="puffy")]
    parts.append(Part(curve((0.92, 0.31), (0.5, 0.35), (0.1, 0.33), (-0.3, lift * 0.45 + 0.24)), "dark", width=0.03))
    extra = r.randrange(3)
    if extra == 0:
        parts.append(Part(curve((-0.76, lift - 0.3), (-0.5, lift - 0.42), (-0.28, lift - 0.28)), "accent", width=0.05))
    elif extra == 1:
        parts += [Part(arc(0.44, 0.08, 0.1, 0.06), "accent"), Part(arc(0.3, 0.06, 0.1, 0.06), "accent")]
    else:
        parts.append(Part(curve((0.56, 0.3), (0.62, 0.14), (0.76, 0.12)), "second", width=0.04))
    return fitted(parts)


def sandal(r: Random) -> list[Part]:
    """A vamp with slots over a sole, most with a strap round the heel."""
    thick, instep = r.uniform(0.1, 0.26), r.uniform(-0.4, -0.22)
    sole = [
        *curve((-0.9, 0.2), (-0.4, 0.24), (0.2, 0.26), (0.92, 0.22)),
        *curve((0.96, 0.26), (0.9, 0.24 + thick), (0.3, 0.27 + thick), (-0.8, 0.25 + thick * 1.2), (-0.95, 0.24)),
    ]
    reach = r.uniform(0.6, 0.92)
    top = curve((-0.06, instep), (0.3, instep * 0.62), (reach - 0.1, 0.02), (reach, 0.27))
    vamp = [*top, *curve((-0.1, 0.27), (-0.02, 0.05), (-0.06, instep))]
    slots: list[Path] = []
    count = r.choice((0, 1, 2, 3, 4))
    for i in range(count):
        left = 0.06 + i * (reach - 0.2) / count
        broad = (reach - 0.2) / count * 0.5
        high = instep * (1 - left / reach) * 0.75
        slots.append([(left, 0.2), (left - 0.05, high), (left - 0.05 + broad, high + 0.05), (left + broad, 0.2)])
    lining = [(x * 0.98 - 0.03, y * 0.98) for x, y in vamp]
    parts = [Part(lining, "inside", relief=0.04), Part(sole, pick(r, "wood", "sole", "dark"), relief=0.05)]
    if r.random() < 0.7:
        heel = curve((-0.9, 0.24), (-0.95, -0.05), (-0.88, instep))
        parts.append(Part([*heel, *curve((-0.72, instep), (-0.76, -0.05), (-0.58, 0.25))], "second", relief=0.05))
        parts.append(
            Part(curve((-0.86, instep + 0.06), (-0.5, instep - 0.08), (-0.04, instep + 0.08)), "second", width=0.09)
        )
        parts.append(Part(box(-0.52, instep - 0.14, -0.36, instep + 0.04, 0.02), "metal", relief=0.02))
    return fitted([*parts, Part(vamp, holes=tuple(slots), relief=0.09)])


def loafer(r: Random) -> list[Part]:
    heel = r.uniform(0.08, 0.16)
    upper = [
        *curve((-0.84, 0.32), (-0.9, 0.06), (-0.8, -0.2)),
        *curve((-0.72, -0.18), (-0.4, -0.04), (-0.06, -0.16)),
        *curve((0.02, -0.18), (0.4, -0.02), (0.76, 0.08), (0.94, 0.24), (0.92, 0.34)),
    ]
    saddle = [(-0.12, 0.3), (-0.1, -0.12), (0.02, -0.19), (0.24, -0.08), (0.22, 0.3)]
    parts = [Part(upper, relief=0.12), Part(saddle, "second", relief=0.05)]
    if r.random() < 0.5:
        parts += [Part(curve((0.08, -0.1), (0.16, 0.0), (0.12, 0.1)), "accent", width=0.05)]
        parts += [Part(curve((0.12, -0.1), (0.24, 0.0), (0.24, 0.1)), "accent", width=0.05)]
    else:
        parts.append(Part(box(-0.06, -0.04, 0.2, 0.06, 0.03), "metal", relief=0.02))
    parts.append(Part(curve((0.4, 0.06), (0.62, 0.02), (0.84, 0.2)), "inside", width=0.015, lift=0.1))
    sole = [(-0.9, 0.3), (0.95, 0.3), (0.92, 0.38), (-0.3, 0.39), (-0.36, 0.38 + heel), (-0.9, 0.38 + heel)]
    parts.append(Part(sole, pick(r, "dark", "wood", "sole"), relief=0.03))
    return fitted(parts)
