"""A shard as a dict: images with their states, and what a search, a filter, words and counts must say of them."""

from __future__ import annotations

import json
import math
import random
import tempfile
from collections import Counter, defaultdict
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from indexing.rows.digest import NO_VECTOR, add_digest, digest_bytes, image_digest, vector_hash
from indexing.shard.questions.naming import Name
from indexing.shard.shard import Shard
from indexing.snapshot.snapshot import restore, save
from indexing.words.query import parse_words
from indexing.words.tokens import words_of
from schemas.deltas.delta import DeltaBatch
from schemas.found import Hit
from schemas.ids import image_id
from schemas.query.facets import FacetCounts, FacetWanted
from schemas.query.fields import Fields, Values, values_of
from schemas.query.filters import Filter, holds, parse_filter
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


def expected_hits(model: dict[bytes, ModelImage], query: NDArray[np.float32], limit: int) -> list[tuple[float, bytes]]:
    scored = [
        (-float(np.dot(np.frombuffer(image.vector, dtype="<f4"), query)), key)
        for key, image in model.items()
        if image.searchable
    ]
    return [(-score, key) for score, key in sorted(scored)[:limit]]


def passing(model: dict[bytes, ModelImage], tree: Filter | None) -> dict[bytes, ModelImage]:
    """Images on sale that pass."""
    valid = {key: image for key, image in model.items() if image.valid}
    return valid if tree is None else {key: image for key, image in valid.items() if holds(tree, image.values)}


def without_own(tree: Filter | None, field: str) -> Filter | None:
    """One of `TREES` without what its JSON says of that field and of no other."""
    if tree is None:
        return None
    kept = {}
    for name, value in FILTERS[TREES.index(tree)].items():
        of = {"not": [value], "any": value}.get(name, [{name: value}])
        if {inner for each in of for inner in each} != {field}:
            kept[name] = value
    return parse_filter(kept, INDEXED.fields)


def by_product(images: dict[bytes, ModelImage]) -> dict[str, list[ModelImage]]:
    products = defaultdict(list)
    for image in images.values():
        products[image.product_id].append(image)
    return products


def texts_on_sale(model: dict[bytes, ModelImage]) -> dict[str, list[list[str]]]:
    """Words of each product by field: those of its valid image with the latest state."""
    latest = {
        product: max(images, key=lambda image: image.state_seq)
        for product, images in by_product(passing(model, None)).items()
    }
    return {product: [words_of(text) for _, text in INDEXED.texts(image.decoded)] for product, image in latest.items()}


def has_words(texts: list[list[str]], asked: str, any_word: bool) -> bool:
    query = parse_words(asked, "")
    words = [word for text in texts for word in text]
    found = [
        each.word in words or (each.is_prefix and any(word.startswith(each.word) for word in words))
        for each in query.words
    ]
    phrases = [
        any(
            tuple(text[place : place + len(phrase)]) == phrase
            for text in texts
            for place in range(len(text) - len(phrase) + 1)
        )
        for phrase in query.phrases
    ]
    if query.phrases or not any_word:
        return all(phrases) and (any_word or all(found))
    return any(found)


def expected_products(
    model: dict[bytes, ModelImage], tree: Filter | None, words: str, any_word: bool
) -> dict[str, list[ModelImage]]:
    """What a list shows: products with the words, each with its images that pass."""
    products = by_product(passing(model, tree))
    if not words:
        return products
    texts = texts_on_sale(model)
    return {product: images for product, images in products.items() if has_words(texts[product], words, any_word)}


def check_counts(
    facets: list[FacetCounts], tree: Filter | None, matching: Callable[[Filter | None], dict[str, list[ModelImage]]]
) -> None:
    """Of `FACETS` and `OWN`, products by value. `matching`: those that match within a filter, with their images."""
    assert [each.field for each in facets] == [each.field for each in (*FACETS, *OWN)]
    for wanted, counts in zip((*FACETS, *OWN), facets, strict=True):
        _check_count(matching(without_own(tree, wanted.field) if wanted.exclude_own else tree), wanted, counts)


def _check_count(products: dict[str, list[ModelImage]], wanted: FacetWanted, counts: FacetCounts) -> None:
    """Where the images of a product differ, any of those that pass stands for it."""
    had = {product: [image.values[wanted.field] for image in images] for product, images in products.items()}
    certain, possible = Counter[str](), Counter[str]()
    for values in had.values():
        kinds = [_kinds(wanted, value) for value in values]
        certain.update(set.intersection(*kinds))
        possible.update(set.union(*kinds))
    shown = dict(zip(counts.values, counts.counts, strict=True))
    shown |= {str(place): count for place, count in enumerate(counts.bucket_counts) if count}
    shown |= {"any": counts.products} if counts.products else {}
    assert shown.keys() <= possible.keys()
    for kind, count in possible.items():
        assert certain[kind] <= shown.get(kind, 0) <= count, (wanted, kind)


def _kinds(wanted: FacetWanted, value: tuple[str, ...] | float) -> set[str]:
    """What a product with this value is counted under."""
    if isinstance(value, float):
        if math.isnan(value):
            return set()
        return {"any", *([str(sum(value >= bound for bound in wanted.ranges))] if wanted.ranges else [])}
    if wanted.field == "category":
        above = {path[:place] for path in value for place, sign in enumerate(path) if sign == "/"}
        return {*value, *above, *(["any"] if value else [])}
    return {*value, *(["any"] if value else [])}


def place(hit: Hit) -> tuple[bool, float, float, int]:
    """Where a hit belongs in a list: by its key, unknown ones last, then by score, then by product."""
    product = int.from_bytes(hit.image_id[:8], "little")
    return math.isnan(hit.key), 0.0 if math.isnan(hit.key) else hit.key, -hit.score, product


def keys_of(images: list[ModelImage], order: str) -> list[float]:
    """What a product may be ordered by: the figures of its images, which differ only while its deltas come."""
    figures = [image.values[order.removeprefix("-")] for image in images] if order else [0.0]
    return [-figure if order.startswith("-") else figure for figure in figures if isinstance(figure, float)]


def suggested(model: dict[bytes, ModelImage], begun: str) -> dict[str, int]:
    words = Counter[str]()
    for texts in texts_on_sale(model).values():
        words.update({word for text in texts for word in text if word.startswith(begun)})
    return dict(words)


def check_names(model: dict[bytes, ModelImage], begun: str, names: list[Name]) -> None:
    """Names of products on sale with a word that begins so; where the images of one differ, any stands for it."""
    certain, possible = Counter[tuple[str, str]](), Counter[tuple[str, str]]()
    for images in by_product(passing(model, None)).values():
        had = [_names_of(image.decoded, begun) for image in images]
        certain.update(set.intersection(*had))
        possible.update(set.union(*had))
    shown = {(name.field, name.text): name.products for name in names}
    assert len(shown) == len(names)
    assert certain.keys() <= shown.keys() <= possible.keys()
    assert all(certain[name] <= number <= possible[name] for name, number in shown.items())


def _names_of(attributes: dict[str, Any], begun: str) -> set[tuple[str, str]]:
    path = str(attributes.get("category", "")).split("/")
    names = {("category", "/".join(path[: end + 1])) for end in range(len(path))}
    names |= {(field, str(attributes.get(field, ""))) for field in ("brand", "title")}
    return {
        (field, name)
        for field, name in names
        if any(word.startswith(begun) for word in words_of(name.split("/")[-1] if field == "category" else name))
    }


def loaded(shard: Shard) -> Shard:
    """The same from its snapshot."""
    with tempfile.TemporaryDirectory() as folder:
        save(shard, Path(folder), {0: 0})
        return restore(Path(folder))[0]
