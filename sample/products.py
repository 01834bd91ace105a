"""The products of the sample catalogue: what they look like, what they are called, what they cost.

Product number n is the same in a catalogue of 40 as in one of 2,000.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from functools import cache
from random import Random
from typing import Any

from sample import bags, footwear, furniture, garments, tableware
from sample.camera import Colour, Finish
from sample.geometry import Part
from sample.patterns import PATTERNS

SEED = "vitrine-sample-1"


@dataclass(frozen=True, slots=True)
class Kind:
    """A kind of product: how it is drawn, where it stands in the shop, its price range."""

    name: str
    draw: Callable[[Random], list[Part]]
    category: str
    noun: str
    price: tuple[int, int]
    folds: float


@dataclass(frozen=True, slots=True)
class Product:
    """One product: its row in `products.jsonl` (without images) and its looks."""

    number: int
    product_id: str
    attributes: dict[str, Any]
    parts: list[Part]
    finish: Finish


_CLOTH, _LEATHER, _HARD = 0.055, 0.02, 0.0

KINDS = (
    Kind("tshirt", garments.tshirt, "clothing/t-shirts", "T-shirt", (12, 45), _CLOTH),
    Kind("sneaker", footwear.sneaker, "shoes/running", "running shoe", (45, 180), _LEATHER),
    Kind("tote", bags.tote, "bags/totes", "tote bag", (20, 140), _CLOTH),
    Kind("armchair", furniture.armchair, "furniture/armchairs", "armchair", (180, 900), _LEATHER),
    Kind("mug", tableware.mug, "tableware/mugs", "mug", (6, 28), _HARD),
    Kind("dress", garments.dress, "clothing/dresses", "dress", (35, 220), _CLOTH),
    Kind("boot", footwear.boot, "shoes/boots", "boot", (70, 260), _LEATHER),
    Kind("backpack", bags.backpack, "bags/backpacks", "backpack", (35, 190), _LEATHER),
    Kind("lamp", furniture.lamp, "furniture/lamps", "lamp", (30, 240), _HARD),
    Kind("plate", tableware.plate, "tableware/plates", "plate", (7, 40), _HARD),
    Kind("hoodie", garments.hoodie, "clothing/hoodies", "hoodie", (35, 110), _CLOTH),
    Kind("pump", footwear.pump, "shoes/heels", "pump", (50, 240), _LEATHER),
    Kind("handbag", bags.handbag, "bags/handbags", "handbag", (40, 380), _LEATHER),
    Kind("sofa", furniture.sofa, "furniture/sofas", "sofa", (350, 2400), _LEATHER),
    Kind("teapot", tableware.teapot, "tableware/teapots", "teapot", (22, 95), _HARD),
    Kind("shirt", garments.shirt, "clothing/shirts", "shirt", (25, 120), _CLOTH),
    Kind("sandal", footwear.sandal, "shoes/sandals", "sandal", (25, 130), _LEATHER),
    Kind("duffel", bags.duffel, "bags/travel", "travel bag", (45, 220), _LEATHER),
    Kind("chair", furniture.chair, "furniture/chairs", "chair", (45, 320), _HARD),
    Kind("vase", tableware.vase, "tableware/vases", "vase", (15, 150), _HARD),
    Kind("skirt", garments.skirt, "clothing/skirts", "skirt", (25, 110), _CLOTH),
    Kind("loafer", footwear.loafer, "shoes/loafers", "loafer", (55, 210), _LEATHER),
    Kind("suitcase", bags.suitcase, "bags/suitcases", "suitcase", (70, 420), _HARD),
    Kind("cabinet", furniture.cabinet, "furniture/cabinets", "cabinet", (120, 1100), _HARD),
    Kind("bowl", tableware.bowl, "tableware/bowls", "bowl", (8, 60), _HARD),
    Kind("trousers", garments.trousers, "clothing/trousers", "trousers", (30, 140), _CLOTH),
    Kind("sweater", garments.sweater, "clothing/sweaters", "sweater", (35, 160), _CLOTH),
    Kind("table", furniture.table, "furniture/tables", "table", (90, 900), _HARD),
    Kind("teacup", tableware.teacup, "tableware/cups", "cup and saucer", (9, 45), _HARD),
    Kind("jacket", garments.jacket, "clothing/jackets", "jacket", (60, 340), _CLOTH),
    Kind("stool", furniture.stool, "furniture/stools", "stool", (30, 190), _HARD),
    Kind("pitcher", tableware.pitcher, "tableware/pitchers", "pitcher", (18, 80), _HARD),
    Kind("shorts", garments.shorts, "clothing/shorts", "shorts", (18, 70), _CLOTH),
    Kind("bookcase", furniture.bookcase, "furniture/bookcases", "bookcase", (80, 600), _HARD),
    Kind("bottle", tableware.bottle, "tableware/bottles", "bottle", (12, 55), _HARD),
    Kind("tank", garments.tank, "clothing/tops", "tank top", (12, 40), _CLOTH),
    Kind("cap", garments.cap, "accessories/hats", "hat", (14, 60), _CLOTH),
)

COLOURS: dict[str, Colour] = {
    name: (int(value[0:2], 16) / 255, int(value[2:4], 16) / 255, int(value[4:6], 16) / 255)
    for name, value in {
        "black": "26272c", "white": "f3f1ea", "grey": "8d9297", "red": "c9252d", "burgundy": "6f1b30",
        "pink": "f19db4", "orange": "ec7723", "mustard": "d3a01f", "yellow": "f4da48", "beige": "d8c19c",
        "brown": "704628", "olive": "6c6d31", "green": "2c8a46", "mint": "9cd8bc", "teal": "14787e",
        "turquoise": "34bcc8", "sky blue": "84b9e6", "blue": "2455c3", "navy": "1c2a56", "purple": "693fa1",
        "lilac": "bca3de",
    }.items()
}  # fmt: skip

_WORDS = {
    "plain": "", "heather": "heathered", "stripes": "striped", "pinstripes": "pinstriped", "awning": "wide-striped",
    "diagonal": "diagonally striped", "breton": "Breton", "gingham": "gingham", "tartan": "tartan",
    "checkerboard": "checked", "dots": "dotted", "bubbles": "spotted", "floral": "floral", "leaves": "leafy",
    "gradient": "shaded", "chevron": "chevron", "argyle": "argyle", "waves": "wavy", "leopard": "leopard",
    "camouflage": "camouflage", "tie_dye": "tie-dyed", "stars": "starry", "blocks": "colour-block",
    "terrazzo": "terrazzo",
}  # fmt: skip

_BRANDS = {
    "clothing": ("Almaviva", "Nordhede", "Petit Quai", "Kestrel & Rye", "Marisol", "Hinoki"),
    "shoes": ("Passo", "Veldt", "Strider", "Kivik Trail", "Bottega Lume"),
    "bags": ("Carrow", "Tragwerk", "Lume", "Sakko", "Ostwind"),
    "furniture": ("Hyggeln", "Casa Tarsi", "Oak & Line", "Bovist"),
    "tableware": ("Terrafina", "Kiln Nine", "Blauwerk", "Mesa Alta"),
    "accessories": ("Kestrel & Rye", "Sakko", "Brimfield"),
}
_SIZES = {
    "clothing": ("XS", "S", "M", "L", "XL"),
    "shoes": tuple(str(size) for size in range(36, 47)),
}
_MODELS = (
    "Alba", "Birk", "Corvo", "Dune", "Elba", "Fjord", "Gale", "Harbour", "Iris", "Juno", "Kora", "Linden", "Mira",
    "Nero", "Orla", "Pico", "Quill", "Rhea", "Sable", "Tarn", "Umbra", "Vento", "Wren", "Yuma", "Zephyr",
)  # fmt: skip


@cache
def _looks(kind: str) -> list[tuple[str, str]]:
    """Every (pattern, colour), in an order of this kind's own: no two products of a kind share one."""
    looks = [(pattern, colour) for pattern in PATTERNS for colour in COLOURS]
    Random(f"{SEED}/looks/{kind}").shuffle(looks)
    return looks


def _distance(one: str, two: str) -> float:
    return math.dist(COLOURS[one], COLOURS[two])


def _companions(random: Random, colour: str) -> tuple[str, str]:
    """A second and third colour that stand off the first and from each other."""
    names = list(COLOURS)
    random.shuffle(names)
    second = next(name for name in names if _distance(name, colour) > 0.5)
    third = next(name for name in names if _distance(name, colour) > 0.38 and _distance(name, second) > 0.38)
    return second, third


def _sizes(number: int, department: str) -> dict[str, list[str]]:
    """The sizes that are left of a product that comes in sizes: some that stand side by side."""
    sizes = _SIZES.get(department)
    if sizes is None:
        return {}
    random = Random(f"{SEED}/sizes/{number}")
    first = random.randrange(len(sizes) - 2)
    return {"size": list(sizes[first : first + random.randint(2, len(sizes))])}


def product(number: int) -> Product:
    """Product `number` (from 0) of the sample catalogue."""
    kind = KINDS[number % len(KINDS)]
    looks = _looks(kind.name)
    pattern, colour = looks[number // len(KINDS) % len(looks)]
    random = Random(f"{SEED}/product/{number}")
    second, third = _companions(random, colour)
    period = random.choice((0.16, 0.22, 0.3, 0.38))
    finish = Finish(
        colours=(COLOURS[colour], COLOURS[second], COLOURS[third]),
        pattern=pattern,
        period=period,
        seed=random.getrandbits(20),
        folds=kind.folds,
    )
    low, high = kind.price
    department = kind.category.split("/")[0]
    brand = random.choice(_BRANDS[department])
    words = (brand, random.choice(_MODELS), _WORDS[pattern], kind.noun, "in", colour)
    return Product(
        number=number,
        product_id=f"sample-{number:05d}",
        attributes={
            "title": " ".join(word for word in words if word),
            "category": kind.category,
            "brand": brand,
            "colour": colour,
            "price": round(low * (high / low) ** random.random()) - 0.1,
            "sales": int(10 ** random.uniform(0, 4)),
            "praise": round(1 - 0.4 * random.random() ** 2, 2),
            "pattern": _WORDS[pattern] or "plain",
            **_sizes(number, department),
        },
        parts=kind.draw(Random(f"{SEED}/shape/{number}")),
        finish=finish,
    )
