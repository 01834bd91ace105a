"""From images found to products shown."""

from __future__ import annotations

import math
from collections.abc import Iterable
from typing import Any, cast

import msgspec

from schemas.found import Hit
from serving.blender.showing.answers import Result

_attributes_decoder = msgspec.json.Decoder(dict[str, Any])


def collapse(hits: Iterable[Hit], limit: int, exclude: str | None = None) -> list[Hit]:
    """The best image per product, best first, at most `limit`; `exclude` is a product left out.

    `hits` must be sorted, best first.
    """
    best: dict[str, Hit] = {}
    for hit in hits:
        product = hit.product_id
        if product not in best and product != exclude:
            best[product] = hit
            if len(best) == limit:
                break
    return list(best.values())


def known_or_none(number: float) -> float | None:
    """The wire's NaN is JSON's null."""
    return None if math.isnan(number) else number


def decode_attributes(attributes: bytes) -> dict[str, Any]:
    return _attributes_decoder.decode(attributes) if attributes else {}


def result_of(hit: Hit, *, trimmed: bool = False) -> Result:
    """What is shown of a hit: known fields first, then the product's other attributes, which never replace them.

    `trimmed`: some of its attributes are not there.
    """
    attributes = decode_attributes(hit.attributes)
    result: dict[str, Any] = {
        "product_id": hit.product_id,
        "score": round(hit.score, 6),
        "image_url": hit.url,
        "title": attributes.get("title"),
        "category": attributes.get("category"),
        "brand": attributes.get("brand"),
        "price": known_or_none(hit.price),
        "sales": hit.sales if hit.sales >= 0 else None,
        "praise": known_or_none(hit.praise),
    }
    if trimmed:
        result["attributes_trimmed"] = True
    for name, value in attributes.items():
        result.setdefault(name, value)
    return cast(Result, result)
