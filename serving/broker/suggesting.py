"""Suggestions of all shards in one list: words that are begun, then whole names."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable

from schemas.search_pb2 import SearchResponse, Suggestion

_TITLE = "title"


def merged_suggestions(answers: Iterable[SearchResponse], limit: int) -> list[Suggestion]:
    """Words first, then brands and categories, then titles; of each those that most products have, then the shorter.

    A product lies in one shard, so counts add up. Words and names have half of
    the places each, where both need them, and so have values and titles of those
    of the names.
    """
    products = Counter[tuple[str, str]]()
    for answer in answers:
        products.update({(each.field, each.text): each.products for each in answer.suggestions})
    best = [
        Suggestion(text=text, products=number, field=field)
        for (field, text), number in sorted(products.items(), key=lambda each: (-each[1], len(each[0][1]), each[0]))
    ]
    words = [each for each in best if not each.field]
    values = [each for each in best if each.field not in ("", _TITLE)]
    titles = [each for each in best if each.field == _TITLE]
    names = _sharing(values, titles, max(limit // 2, limit - len(words)))
    return [*words[: limit - len(names)], *names]


def _sharing(first: list[Suggestion], second: list[Suggestion], limit: int) -> list[Suggestion]:
    later = second[: max(limit // 2, limit - len(first))]
    return [*first[: limit - len(later)], *later]
