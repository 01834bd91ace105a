"""Whole names that a text may become: titles, brands and categories of products on sale.

Nothing is kept for it. The words find products, whose names are read where
they are shown from: so a name is there as long as a product on sale has it,
and no longer, and costs no memory.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from typing import Any, NamedTuple

import msgspec
import numpy as np
from numpy.typing import NDArray

from indexing.attributes.facets import one_row_each, products_with
from indexing.attributes.keywords import KeywordColumn
from indexing.attributes.names import NONE, ancestors
from indexing.rows.results import HIT_ATTRIBUTES_BYTES
from indexing.shard.attributes import ProductAttributes
from indexing.shard.state import ShardState
from indexing.words.query import MAX_QUERY_WORDS, parse_words
from indexing.words.tokens import tokens_of, words_of
from schemas.query.fields import FieldKind

TITLE = "title"
_VALUES = ("brand", "category")
_TITLES_READ = 64
"""Products whose titles are looked at, those that fit the words best."""
_VALUES_READ = 256
"""Values of a field that are looked at, those that most products have."""
_MOST_TYPED = 200
"""Characters of a text that may become a name, and of a name."""

_decode = msgspec.json.Decoder(dict[str, Any]).decode


class Name(NamedTuple):
    """A name as it is written, and how many products on sale have it; of a title, of those looked at."""

    field: str
    text: str
    products: int


def names(state: ShardState, attributes: ProductAttributes, text: str, limit: int) -> list[Name]:
    """Brands and categories, then titles, up to `limit` of each. No locks, any thread.

    The words of the text stand in the name side by side, the last one as the
    beginning of a word, unless something follows it. Of a path its last part is
    what is completed.
    """
    tokens = tokens_of(text) if len(text) <= _MOST_TYPED else []
    if limit < 1 or not tokens or len(tokens) > MAX_QUERY_WORDS:
        return []
    typed, is_open = [token.word for token in tokens], tokens[-1].at_end
    query = parse_words(" ".join(typed) + " " * (not is_open), attributes.indexed.language)
    found = attributes.words.search(query, limit=_TITLES_READ)
    values = _values(attributes, found.matched, typed, is_open, limit)
    titles = _titles(state, attributes, found.products[:_TITLES_READ], typed, is_open)
    return [*values[:limit], *titles[:limit]]


def _values(
    attributes: ProductAttributes, matched: NDArray[np.bool_], typed: Sequence[str], is_open: bool, limit: int
) -> list[Name]:
    columns = attributes.columns
    rows = one_row_each(columns, columns.passing(None, searchable=False).numbers)
    products = columns.product[rows]
    having = np.zeros(1 + int(products.max(initial=-1)), np.bool_)
    having[: len(matched)] = matched[: len(having)]
    found = []
    for field in _VALUES:
        column = columns.columns[field]
        assert isinstance(column, KeywordColumn), "a product has one of these"
        codes = column.cells.array.take(rows)
        chosen = _completed(column, codes[having[products]], typed, is_open)
        # Of all products on sale: who has the value need not have been found by the words, of which few are completed.
        totals = {value: products_with(column, codes, value) for value in chosen[:limit]}
        found += [Name(field, value, number) for value, number in totals.items() if number]
    return sorted(found, key=lambda name: (-name.products, name.text))


def _completed(column: KeywordColumn, codes: NDArray[np.int32], typed: Sequence[str], is_open: bool) -> list[str]:
    """Of the most frequent values of these products, and of what they lie below, those that the text may become."""
    counts = np.bincount(codes, minlength=1)
    counts[NONE] = 0
    frequent = np.argsort(-counts, kind="stable")[: min(_VALUES_READ, np.count_nonzero(counts))]
    is_path = column.kind is FieldKind.PATH
    totals = Counter[str]()
    for code in frequent.tolist():
        text = column.names.text(code)
        for value in filter(None, ancestors(text)) if is_path else (text,):
            totals[value] += int(counts[code])
    values = sorted(totals, key=lambda value: (-totals[value], value))
    return [value for value in values if _place(value, typed, is_open, is_path) is not None]


def _titles(
    state: ShardState, attributes: ProductAttributes, products: NDArray[np.int32], typed: Sequence[str], is_open: bool
) -> list[Name]:
    """Those that begin with the text first."""
    counted = Counter[str]()
    places: dict[str, int] = {}
    for key in attributes.hashes(products).tolist():
        title = _title(state, key.to_bytes(8, "little"))
        place = _place(title, typed, is_open)
        if place is not None:
            counted[title] += 1
            places[title] = place
    found = [Name(TITLE, title, number) for title, number in counted.items()]
    return sorted(found, key=lambda name: (places[name.text] > 0, -name.products, len(name.text), name.text))


def _title(state: ShardState, product: bytes) -> str:
    """Of a product, by the first half of its images' ids, as it is shown now; "" where it is not on sale."""
    for row in state.rows.of_product(product):
        hit = state.forward.hit(row, 0.0, HIT_ATTRIBUTES_BYTES, listed=True)
        if hit is None or not hit.attributes:
            continue
        try:
            title = _decode(hit.attributes).get(TITLE)
        except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
            return ""
        return title if isinstance(title, str) else ""
    return ""


def _place(name: str, typed: Sequence[str], is_open: bool, is_path: bool = False) -> int | None:
    """At which word of the name the typed ones stand, None for nowhere. Of a path the last one is in its last part."""
    if len(name) > _MOST_TYPED:
        return None
    *whole, last = typed
    if name.isascii() and last not in name.lower():
        return None  # nearly all names: to take them apart would cost ten times as much
    words = words_of(name)
    above = len(words_of(name[: name.rfind("/") + 1])) if is_path else 0
    for place in range(max(0, above - len(whole)), len(words) - len(whole)):
        end = place + len(whole)
        if words[place:end] == whole and (words[end].startswith(last) if is_open else words[end] == last):
            return place
    return None
