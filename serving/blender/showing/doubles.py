"""Doubles as an answer names them: under the product that stands for them."""

from __future__ import annotations

from collections.abc import Sequence

from serving.blender.ranking.doubles import Named
from serving.blender.ranking.ranking import Page
from serving.blender.showing.answers import AlsoAt, Result
from serving.blender.showing.products import decode_attributes, known_or_none


def name_doubles(page: Page, results: Sequence[Result]) -> list[str]:
    """Names under each result the products that were merged into it.

    Gives those whose own leader went since it was found: no page has them yet.
    """
    shown = {result["product_id"]: result for result in results}
    unnamed: list[str] = []
    for each in page.results:
        result = shown.get(each.hit.product_id)
        if result is None:
            unnamed += [named.hit.product_id for named in each.also]
        elif each.also:
            result["also_at"] = [_also_at(named) for named in each.also]
    return unnamed


def _also_at(named: Named) -> AlsoAt:
    hit = named.hit
    title = decode_attributes(hit.attributes).get("title")
    return AlsoAt(
        product_id=hit.product_id,
        similarity=round(named.likeness, 4),
        image_url=hit.url,
        title=title if isinstance(title, str) else None,
        price=known_or_none(hit.price),
    )
