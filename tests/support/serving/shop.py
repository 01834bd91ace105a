"""A small shop to ask: sixty products in two shards, with words, prices, brands and pictures."""

from __future__ import annotations

from typing import Any

from schemas.ids import shard_of_product
from schemas.query.fields import Fields
from schemas.query.indexed import Indexed
from schemas.query.rank import Measure, declared_profiles
from serving.searcher.service import SearcherService
from tests.support.serving.http_world import picture_vector
from tests.support.serving.world import apply, batch, direction, listed, near, ready_searcher

FIELDS = Fields()
PROFILES = declared_profiles({"popular": {"relevance": 0.1, "sales": Measure(5.0, half=100)}}, FIELDS)
BRANDS = ("Acme", "Strider", "Nord")
COLOURS = ("red", "green", "blue", "black")
KINDS = ("boot", "sandal", "hat")
COUNT = 60


def goods(number: int) -> dict[str, Any]:
    kind, colour = KINDS[number % 3], COLOURS[number % 4]
    return {
        "price": float(number),
        "sales": (number * 37) % 500,
        "title": f"{colour.capitalize()} {kind} number {number}",
        "category": f"{'accessories' if kind == 'hat' else 'shoes'}/{kind}",
        "brand": BRANDS[number // 3 % 3],
        "colour": colour,
        "material": "wool" if number % 5 == 0 else "leather",
    }


PRODUCTS = {f"p{number}": goods(number) for number in range(COUNT)}


def shop() -> list[SearcherService]:
    """Both shards. `p5` looks like `picture(5)`; the others are near `direction(7)`, each by its number."""
    searchers = [ready_searcher(shard, shards=2, indexed=Indexed(FIELDS)) for shard in range(2)]
    for number, (product, fields) in enumerate(PRODUCTS.items()):
        look = picture_vector(5) if product == "p5" else near(direction(7), number, 0.5)
        apply(searchers[shard_of_product(product, 2)], listed(batch(), product, [look], **fields))
    return searchers
