"""A shop of made-up goods over two shards, which questions are asked of."""

from __future__ import annotations

from typing import Any

import httpx

from schemas.deltas.delta import DeltaBatch
from schemas.ids import shard_of_product
from schemas.query.fields import Fields
from schemas.query.indexed import Indexed
from schemas.query.rank import Measure, declared_profiles
from serving.searcher.service import SearcherService
from tests.support.serving.world import apply, batch, direction, listed, near, ready_searcher, removed

FIELDS = Fields.declared(["material:keyword", "weight:number"])
PROFILES = declared_profiles({"popular": {"relevance": 0.1, "sales": Measure(5.0, half=100)}}, FIELDS)
BRANDS = ("Acme", "Strider", "Nord")
KINDS = ("shoe", "boot", "sandal", "hat", "scarf")
COLOURS = ("red", "green", "blue", "black")
COUNT = 120


def goods(number: int) -> dict[str, Any]:
    kind, colour, brand = KINDS[number % 5], COLOURS[number % 4], BRANDS[number % 3]
    above = "shoes" if kind in ("shoe", "boot", "sandal") else "accessories"
    return {
        "price": float(number),
        "sales": (number * 37) % 500,
        "title": f"{colour.capitalize()} {kind} number {number}",
        "category": f"{above}/{kind}",
        "brand": brand,
        "colour": colour,
        "material": "wool" if number % 6 == 0 else "leather",
        "weight": number / 10,
        "labels": ["person", "outdoor"] if number % 2 else ["person"],
    }


PRODUCTS = {f"p{number}": goods(number) for number in range(COUNT)}


class Shop:
    """Two searchers, and where a product's deltas go."""

    def __init__(self) -> None:
        self.searchers = [self._searcher(shard) for shard in range(2)]
        for number, (product, fields) in enumerate(PRODUCTS.items()):
            self.list(product, [near(direction(7), number, 0.5), direction(number + 1000)], **fields)

    def _searcher(self, shard: int) -> SearcherService:
        return ready_searcher(shard, shards=2, indexed=Indexed(FIELDS))

    def _of(self, product: str) -> SearcherService:
        return self.searchers[shard_of_product(product, 2)]

    def list(self, product: str, vectors: list[Any], offset: int = 1, **fields: Any) -> None:
        apply(self._of(product), listed(batch(), product, vectors, offset=offset, **fields))

    def remove(self, product: str, offset: int = 2) -> None:
        apply(self._of(product), removed(DeltaBatch(batch().extractor_id), product, 2, offset=offset))


def matching(condition: Any) -> set[str]:
    return {product for product, fields in PRODUCTS.items() if condition(fields)}


async def ask(client: httpx.AsyncClient, **question: Any) -> httpx.Response:
    return await client.post("/v1/search", json=question)
