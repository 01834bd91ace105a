"""What a shopper might call a product, from its own attributes: the texts that a map learns from.

A title alone teaches little: people ask for "red jacket" and not for
"Ingrid Running Jacket Red". The short forms recur from product to product, so
that a map sees what all red things have in common.
"""

from __future__ import annotations

import html
from collections.abc import Mapping

MOST_PHRASES = 7


def phrases(attributes: Mapping[str, object]) -> list[str]:
    """Different texts, the title first ("" where there is none); at most `MOST_PHRASES`. Pure.

    Of title, category (a path, parted by "/"), colour and brand; what is no text is left out.
    """
    title, category, colour, brand = (_text(attributes.get(name)) for name in ("title", "category", "colour", "brand"))
    path = [part for part in (part.strip() for part in category.split("/")) if part]
    first, kind = (path[0], path[-1]) if path else ("", "")
    outer = first if len(path) > 1 else ""
    short = [
        kind,
        colour,
        _joined(colour, kind),
        _joined(outer, kind),
        _joined(outer, colour, kind),
        _joined(brand, kind) if brand and not title else "",
    ]
    return [title, *dict.fromkeys(text for text in short if text and text != title)][:MOST_PHRASES]


def _text(value: object) -> str:
    return html.unescape(value).strip() if isinstance(value, str) else ""


def _joined(*parts: str) -> str:
    return " ".join(part for part in parts if part)
