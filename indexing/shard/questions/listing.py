"""Products in a list: those that pass a filter and have the words, in the order asked for, each shown by one image."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
from numpy.typing import NDArray

from indexing.attributes.facets import count_within
from indexing.shard.attributes import ProductAttributes
from indexing.shard.questions.question import ShardQuestion
from indexing.shard.state import ShardState
from indexing.words.query import parse_words
from schemas.query.facets import FacetCounts
from schemas.query.filters import Filter
from schemas.query.scopes import scope_of


class Listing:
    """Products on sale that pass the filter and have the words, each shown by one image, as of one moment."""

    def __init__(self, state: ShardState, attributes: ProductAttributes, question: ShardQuestion) -> None:
        self._state = state
        self._attributes = attributes
        self._columns = columns = attributes.columns
        self._question = question
        self._rows: dict[Filter | None, NDArray[np.int64]] = {}
        """Rows on sale that pass, by filter: the question's, and what facets are counted within."""
        self._matched: NDArray[np.bool_] | None = None
        self._shown: NDArray[np.int64] | None = None
        self._mask: NDArray[np.bool_] | None = None
        self._one_each = False
        self.corrected: dict[str, str] = {}
        if question.tree is None and question.words and not question.order_by:
            # Only products on sale have words: there is no need to look at all rows for those of a few products.
            listed = None
            self.plan = "no filter"
        else:
            listed = self._look_at_rows(question.tree)
            self.plan = f"{len(self._rows_within(question.tree))} of {len(columns)} rows pass"
        if question.words:
            query = parse_words(question.words, attributes.indexed.language)
            limit = None if question.order_by else question.list_limit
            counted = None if listed is None else self._counted_besides(listed)
            matches = attributes.words.search(
                query, listed, all_words=not question.any_word, limit=limit, counted=counted
            )
            self._matched = matches.matched
            self._numbers, self._scores = matches.products, matches.scores
            among = matches.matched
            if listed is not None and counted is not None:
                among = among[: len(listed)] & listed
            self.products = int(np.count_nonzero(among))
            self.corrected = {
                reading.word: ", ".join(reading.corrections) for reading in matches.readings if reading.corrections
            }
        else:
            assert listed is not None, "a list without words is of rows"
            self._numbers = np.flatnonzero(listed)
            self._scores = np.zeros(len(self._numbers), dtype=np.float32)
            self.products = len(self._numbers)
        self.plan += f", {self.products} products listed"
        self._key = self._keys(question.order_by)

    def _look_at_rows(self, tree: Filter | None) -> NDArray[np.bool_]:
        """Which products have a row that passes; and which row stands for each of them."""
        columns = self._columns
        passing = columns.passing(tree, searchable=False)
        rows = passing.numbers
        products = columns.product[rows]
        shown = np.full(self._attributes.products, -1, dtype=np.int64)
        shown[products] = rows
        self._rows[tree], self._shown = rows, shown
        self._mask = passing.mask
        listed: NDArray[np.bool_] = shown >= 0
        self._one_each = int(np.count_nonzero(listed)) == len(rows)
        return listed

    def _row_of(self, product: int, product_hash: int) -> int:
        """The row that shows a product, -1 where it has none any more.

        Of several images one with a vector, then the least id: the same in whatever order they came.
        """
        if self._shown is not None and self._one_each:
            return int(self._shown[product])
        columns = self._columns
        passes = columns.valid if self._mask is None else self._mask
        there = self._state.rows.of_product(product_hash.to_bytes(8, "little"))
        rows = [row for row in there if row < len(passes) and passes[row]]
        if len(rows) > 1:
            return min(rows, key=lambda row: (not columns.searchable[row], self._state.forward.read(row).image_id))
        # None passes where an image was replaced just now: who shows it follows it.
        return next(iter(rows or there), -1)

    def _keys(self, order_by: str) -> NDArray[np.float64]:
        """What the products are ordered by, ascending."""
        if not order_by:
            return np.zeros(len(self._numbers))
        assert self._shown is not None, "an order is of rows"
        figures: NDArray[np.float64] = self._columns.figures(order_by.removeprefix("-"))[self._shown[self._numbers]]
        return -figures if order_by.startswith("-") else figures

    def best(self, limit: int) -> list[tuple[int, float, float]]:
        """(row, score, key) of the first `limit` products: by key, unknown ones last, then score, then product.

        Row -1: the product changed meanwhile.
        """
        unknown = np.isnan(self._key)
        keys = np.where(unknown, np.inf, self._key)
        chosen = self._first(limit, keys)
        hashes = self._attributes.hashes(self._numbers[chosen])
        order = np.lexsort((hashes, -self._scores[chosen], keys[chosen], unknown[chosen]))[:limit]
        best = chosen[order]
        rows = list(map(self._row_of, self._numbers[best].tolist(), hashes[order].tolist()))
        return list(zip(rows, self._scores[best].tolist(), self._key[best].tolist(), strict=True))

    def _first(self, limit: int, keys: NDArray[np.float64]) -> NDArray[np.intp]:
        """Places of the first `limit` products in the order of `best`, in any order.

        Thousands may have the same score: a word that is in as many titles of one length. Of those that end as the
        last one does, the next criterion decides, and none of them is sorted that is not shown.
        """
        left = np.arange(len(self._numbers))
        certain: list[NDArray[np.intp]] = []
        criteria: list[Callable[[NDArray[np.intp]], NDArray[Any]]] = [
            lambda places: -self._scores[places],
            lambda places: self._attributes.hashes(self._numbers[places]),
        ]
        if self._question.order_by:
            criteria.insert(0, lambda places: keys[places])
        for criterion in criteria if limit > 0 else ():
            if len(left) <= limit:
                break
            values = criterion(left)
            last = np.partition(values, limit - 1)[limit - 1]
            before = left[values < last]
            left = left[values == last]
            certain.append(before)
            limit -= len(before)
        return np.concatenate((*certain, left[: max(0, limit)]))

    def facets(self) -> list[FacetCounts]:
        """What the question wants counted, over all products that match, each facet within its scope of the filter."""
        return count_within(self._columns, self._question.tree, self._question.facets, self._matching)

    def _counted_besides(self, listed: NDArray[np.bool_]) -> NDArray[np.bool_] | None:
        """Products, those listed among them, that a facet without its own filter may count; None: no others.

        They are searched for by words together with those listed.
        """
        question = self._question
        # With vectors, what is near them is what is counted.
        wanted = () if len(question.vectors) else question.facets
        wider = {scope_of(facet, question.tree) for facet in wanted} - {question.tree}
        if not wider:
            return None
        rows = [self._rows_within(scope) for scope in wider]
        counted = np.zeros(max(len(listed), self._attributes.products), dtype=np.bool_)
        counted[: len(listed)] = listed
        for each in rows:
            counted[self._columns.product[each]] = True
        return counted

    def _matching(self, scope: Filter | None) -> NDArray[np.int64]:
        """Rows of products that have the words, and pass that filter."""
        rows = self._rows_within(scope)
        if self._matched is None:
            return rows
        products = self._columns.product[rows]
        matched = np.zeros(1 + int(products.max(initial=-1)), dtype=np.bool_)
        matched[: len(self._matched)] = self._matched[: len(matched)]
        matching: NDArray[np.int64] = rows[matched[products]]
        return matching

    def _rows_within(self, scope: Filter | None) -> NDArray[np.int64]:
        """Those on sale that pass, whatever their words, as of one moment for each filter."""
        rows = self._rows.get(scope)
        if rows is None:
            rows = self._rows[scope] = self._columns.passing(scope, searchable=False).numbers
        return rows
