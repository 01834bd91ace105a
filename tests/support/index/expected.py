"""What a shard must answer, told from the model of it: hits, products, counts, names."""

from __future__ import annotations

import math
from collections import Counter, defaultdict
from collections.abc import Callable
from typing import Any

import numpy as np
from numpy.typing import NDArray

from indexing.shard.questions.naming import Name
from indexing.words.query import parse_words
from indexing.words.tokens import words_of
from schemas.found import Hit
from schemas.query.facets import FacetCounts, FacetWanted
from schemas.query.filters import Filter, holds, parse_filter
from tests.support.index.shard_model import FACETS, FILTERS, INDEXED, OWN, TREES, ModelImage


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
