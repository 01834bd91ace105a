"""A shard as a dict: images with their states, and what a search, a filter, words and counts must say of them."""

from __future__ import annotations

import json
import math
import random
import tempfile
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np

from indexing.rows.digest import NO_VECTOR, add_digest, digest_bytes, image_digest, vector_hash
from indexing.shard.shard import Shard
from indexing.snapshot.snapshot import restore, save
from schemas.deltas.delta import DeltaBatch
from schemas.ids import image_id
from schemas.query.facets import FacetWanted
from schemas.query.fields import Fields, Values, values_of
from schemas.query.filters import parse_filter
from schemas.query.indexed import Indexed

EXTRACTOR = "test/1"
DIMENSION = 4
PRODUCTS = [f"p{i}" for i in range(5)]
URLS = ["http://shop/a.jpg", "http://shop/b.jpg"]
# Few distinct vectors, and in small whole numbers: ties are common, and sums are exact in any order.
VECTORS = [
    np.array(v, dtype=np.float32) for v in ((1, 0, 0, 0), (0, 1, 0, 0), (1, 1, 0, 0), (0, 0, 2, 1), (3, -1, 0, 2))
]
QUERIES = np.array([(1, 0, 0, 0), (0, 1, 1, 0), (-1, 2, 0, 3)], dtype=np.float32)
NO_VECTORS = np.empty((0, DIMENSION), dtype=np.float32)
INDEXED = Indexed(Fields.declared(["weight:number", "material:list"]))
# Words of up to four letters, which no typo is forgiven in: what matches can be said plainly.
TITLES = ["red boot", "Red hat", "boot, red", "a blue hat and a boot", "bl\u00fce", "red red red"]
ATTRIBUTES: dict[str, list[Any]] = {
    "title": [*TITLES, ""],
    "brand": ["acme", "nord", "acme", 7],
    "category": ["shoes", "shoes/boot", "hats", "shoestrings"],
    "colour": ["red", "blue"],
    "labels": [["a"], ["a", "b"], ["b", "c"], [], "a"],
    "material": ["wool", ["wool", "silk"]],
    "weight": [1, 2.5, "heavy"],
    "listed": ["2026-01-02", "2026-01-03T04:05:06Z"],
}
FILTERS: list[dict[str, Any]] = [
    {},
    {"brand": "acme"},
    {"brand": ["nord", 7], "price": {"gte": 2}},
    {"category": "shoes"},
    {"labels": {"all": ["a", "b"]}},
    {"not": {"colour": "red"}},
    {"weight": {"lt": 2}, "material": "wool"},
    {"any": [{"brand": "nord"}, {"price": {"lt": 2}}, {"listed": {"gt": "2026-01-02"}}]},
    {"price": {"exists": False}},
    {"sales": {"gt": 20}, "category": {"exists": True}},
    {"brand": ["acme", "nord"], "category": "shoes", "not": {"brand": "7"}, "colour": "red"},
    {"any": [{"colour": "red"}, {"colour": "blue"}], "price": {"gte": 1, "exists": True}, "labels": "a"},
]
TREES = [parse_filter(each, INDEXED.fields) for each in FILTERS]
WORDS = [
    "red ",
    "red boot ",
    "boot hat",
    "bo",
    '"red boot"',
    'hat "red boot"',
    "blue ",
    "BLU",
    "acme red ",
    "none ",
    "a",
]
ORDERS = ["", "price", "-price", "weight", "-listed"]
FACETS = (
    *(FacetWanted(name) for name in ("brand", "category", "colour", "labels", "material")),
    *(FacetWanted("price", (2.0, 20.0)), FacetWanted("weight"), FacetWanted("sales", (10.0,))),
)
OWN = tuple(
    FacetWanted(each.field, each.ranges, exclude_own=True)
    for each in FACETS
    if each.field in ("brand", "category", "colour", "price", "labels")
)
"""Counted as if the filter said nothing of the field."""


def attributes_of(chance: random.Random) -> bytes:
    """Some of the attributes, or none."""
    if chance.random() < 0.1:
        return b"{}"
    chosen = {name: chance.choice(values) for name, values in ATTRIBUTES.items() if chance.random() < 0.8}
    return json.dumps(chosen, ensure_ascii=False).encode()


@dataclass(frozen=True)
class ModelImage:
    """Both registers of one image, as plainly as can be."""

    product_id: str
    url: str = ""
    state_seq: int = 0
    valid: bool = False
    image_seq: int = 0
    category: str = ""
    brand: str = ""
    price: float = math.nan
    sales: int = -1
    attributes: bytes = b""
    vector_seq: int = 0
    vector: bytes = b""

    @property
    def searchable(self) -> bool:
        return self.valid and self.vector_seq > 0 and self.vector_seq >= self.image_seq

    @property
    def decoded(self) -> dict[str, Any]:
        return json.loads(self.attributes) if self.attributes else {}

    @property
    def values(self) -> Values:
        return values_of(INDEXED.fields, self.decoded, self.price, self.sales, math.nan)


@dataclass(frozen=True)
class Delta:
    """One row of a batch, kept so that it can come again, later and out of order."""

    product_id: str
    url: str
    state_seq: int = 0
    valid: bool = False
    image_seq: int = 0
    price: float = math.nan
    attributes: bytes = b""
    vector_seq: int = 0
    vector: bytes | None = None
    erased: bool = False

    def add_to(self, batch: DeltaBatch) -> None:
        if self.erased:
            key = image_id(self.product_id, self.url)
            seq = self.state_seq
            batch.add(key, self.product_id, state_seq=seq, image_seq=seq, erased_seq=seq)
            return
        batch.add(
            image_id(self.product_id, self.url),
            self.product_id,
            state_seq=self.state_seq,
            valid=self.valid,
            image_seq=self.image_seq,
            url=self.url if self.state_seq else "",
            category="shoes" if self.state_seq else "",
            brand=f"brand{self.state_seq % 3}" if self.state_seq else "",
            price=self.price,
            sales=self.state_seq if self.state_seq else -1,
            attributes=self.attributes,
            vector_seq=self.vector_seq,
            vector=self.vector,
        )

    def apply_to(self, model: dict[bytes, ModelImage]) -> None:
        key = image_id(self.product_id, self.url)
        image = model.get(key)
        if image is None:
            if not self.state_seq and self.vector is None:
                return
            image = ModelImage(self.product_id)
        if self.erased:
            model[key] = self._erased(image)
            return
        if self.state_seq > image.state_seq or (self.vector is not None and self.vector_seq > image.vector_seq):
            image = replace(image, product_id=self.product_id)
        if self.state_seq > image.state_seq:
            image = replace(
                image,
                url=self.url,
                state_seq=self.state_seq,
                valid=self.valid,
                image_seq=self.image_seq,
                category="shoes",
                brand=f"brand{self.state_seq % 3}",
                price=self.price,
                sales=self.state_seq,
                attributes=self.attributes,
            )
        if self.vector is not None and self.vector_seq > image.vector_seq:
            image = replace(image, vector_seq=self.vector_seq, vector=self.vector)
        model[key] = image

    def _erased(self, image: ModelImage) -> ModelImage:
        """Both registers without what is older."""
        if self.state_seq > image.state_seq:
            bare = ModelImage("", state_seq=self.state_seq, image_seq=self.state_seq)
            image = replace(bare, vector_seq=image.vector_seq, vector=image.vector)
        if self.state_seq > image.vector_seq:
            image = replace(image, vector_seq=self.state_seq, vector=b"")
        return image


def model_digest(model: dict[bytes, ModelImage]) -> bytes:
    total = 0
    for key, image in model.items():
        if image.valid:
            digest = image_digest(
                key,
                image.product_id.encode(),
                image.url.encode(),
                image.category.encode(),
                image.brand.encode(),
                image.attributes,
                state_seq=image.state_seq,
                image_seq=image.image_seq,
                price=image.price,
                sales=image.sales,
                praise=math.nan,
                vector_seq=image.vector_seq,
                vector=vector_hash(image.vector) if image.vector else NO_VECTOR,
            )
            total = add_digest(total, digest)
    return digest_bytes(total)


def loaded(shard: Shard) -> Shard:
    """The same from its snapshot."""
    with tempfile.TemporaryDirectory() as folder:
        save(shard, Path(folder), {0: 0})
        return restore(Path(folder))[0]
