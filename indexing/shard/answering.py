"""Answers questions that are more than the nearest vectors: filters, words, lists in an order, counts."""

from __future__ import annotations

import numpy as np
from msgspec.structs import replace
from numpy.typing import NDArray

from indexing.attributes.facets import count, distinct_products
from indexing.rows.results import ANSWER_ATTRIBUTES_BYTES, HIT_ATTRIBUTES_BYTES
from indexing.shard.attributes import ProductAttributes
from indexing.shard.passing import PassingRows, hit_that_passes
from indexing.shard.question import ShardAnswer, ShardQuestion
from indexing.shard.reader import ShardReader
from indexing.shard.state import ShardState
from indexing.words.query import parse_words
from schemas.found import Hit
from schemas.query.filters import Filter

_LOOKS = 4


class Answering:
    """The reading side of a shard with attributes. No locks, any thread."""

    def __init__(self, state: ShardState, attributes: ProductAttributes, reader: ShardReader) -> None:
        self._state = state
        self._attributes = attributes
        self._reader = reader

    def answer(self, question: ShardQuestion) -> ShardAnswer:
        """See `Shard.answer`."""
        answer = ShardAnswer([])
        plans = []
        if len(question.vectors):
            plans.append(self._near(question, answer))
        if question.words or question.listing:
            plans.append(self._list(question, answer))
        answer.plan = "; ".join(plans)
        return answer

    def suggest(self, text: str, limit: int) -> list[tuple[str, int]]:
        """See `Shard.suggest`."""
        begun = text[: len(text) - len(text.split()[-1])] if text.split() else ""
        # Only products on sale have words here.
        return [(begun + each.word, each.products) for each in self._attributes.words.suggest(text, limit, _always)]

    def _near(self, question: ShardQuestion, answer: ShardAnswer) -> str:
        nprobe = question.nprobe or self._state.nprobe
        columns = self._attributes.columns
        if question.tree is None:
            answer.found = self._reader.search(question.vectors, question.limit, nprobe, question.with_vectors)
            plan = f"no filter, {nprobe} of {len(self._state.lists)} lists scanned"
            matching = np.flatnonzero(columns.passing(None, searchable=True)) if question.facets else None
        else:
            passing = PassingRows(self._state, self._attributes, question.tree, nprobe)
            matching = passing.rows() if question.facets else None
            answer.found = self._reader.search_passing(question.vectors, question.limit, passing, question.with_vectors)
            plan = passing.plan
        if matching is not None:
            answer.facets = count(columns, matching, question.facets)
            answer.matches = distinct_products(columns, matching)
        return plan

    def _list(self, question: ShardQuestion, answer: ShardAnswer) -> str:
        for look in range(_LOOKS + 1):
            writes = self._attributes.columns.writes
            listing = _Listing(self._state, self._attributes, question)
            hits = []
            dropped = False
            room = ANSWER_ATTRIBUTES_BYTES
            for number, score, key in listing.best(question.list_limit):
                longest = min(room, HIT_ATTRIBUTES_BYTES)
                hit = self._hit(question, writes, number, score, longest) if number >= 0 else None
                if hit is None and number >= 0:
                    hit = self._follow(question, number, score, longest)
                if hit is None:
                    dropped = True
                    continue
                hits.append(replace(hit, key=key) if key else hit)
                room -= len(hit.attributes)
            if not dropped or look == _LOOKS:
                break
        answer.listed = hits
        answer.corrected = listing.corrected
        if not len(question.vectors):
            # Where both are asked for, what is near a vector is what is counted.
            answer.matches = listing.products
            if question.facets:
                answer.facets = count(self._attributes.columns, listing.matching_rows(), question.facets)
        return listing.plan

    def _hit(self, question: ShardQuestion, writes: int, number: int, score: float, longest: int) -> Hit | None:
        """The row as it is now, None where it does not belong into the list any more."""
        if question.tree is None:
            return self._state.forward.hit(number, score, longest, listed=True)
        return hit_that_passes(
            self._state, self._attributes, question.tree, writes, number, score, longest, listed=True
        )

    def _follow(self, question: ShardQuestion, number: int, score: float, longest: int) -> Hit | None:
        """Another image of the row's product, or the image's next row, if that belongs into the list."""
        for other in self._state.rows.of_product(self._state.forward.read(number).image_id[:8]):
            if other != number and (hit := self._hit(question, -1, other, score, longest)) is not None:
                return hit
        return None


def _always(_product: int) -> bool:
    return True


class _Listing:
    """Products on sale that pass the filter and have the words, each shown by one image, as of one moment."""

    def __init__(self, state: ShardState, attributes: ProductAttributes, question: ShardQuestion) -> None:
        self._state = state
        self._attributes = attributes
        self._columns = columns = attributes.columns
        self._rows: NDArray[np.int64] | None = None
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
            self.plan = f"{len(self._all_rows())} of {len(columns)} rows pass"
        if question.words:
            query = parse_words(question.words, attributes.indexed.language)
            matches = attributes.words.search(
                query, listed, all_words=not question.any_word, limit=None if question.order_by else question.list_limit
            )
            self._matched = matches.matched
            self._numbers, self._scores = matches.products, matches.scores
            self.products = int(np.count_nonzero(matches.matched))
            self.corrected = {
                reading.word: ", ".join(reading.corrections) for reading in matches.readings if reading.corrections
            }
        else:
            assert listed is not None, "a list without words is of rows"
            self._matched = listed
            self._numbers = np.flatnonzero(listed)
            self._scores = np.zeros(len(self._numbers), dtype=np.float32)
            self.products = len(self._numbers)
        self.plan += f", {self.products} products listed"
        self._key = self._keys(question.order_by)

    def _look_at_rows(self, tree: Filter | None) -> NDArray[np.bool_]:
        """Which products have a row that passes; and which row stands for each of them."""
        columns = self._columns
        mask = columns.passing(tree, searchable=False)
        rows = np.flatnonzero(mask)
        products = columns.product[rows]
        shown = np.full(self._attributes.products, -1, dtype=np.int64)
        shown[products] = rows
        self._rows, self._shown = rows, shown
        self._mask = mask
        listed: NDArray[np.bool_] = shown >= 0
        self._one_each = int(np.count_nonzero(listed)) == len(rows)
        return listed

    def _row_of(self, product: int) -> int:
        """The row that shows a product, -1 where it has none any more.

        Of several images one with a vector, then the least id: the same in whatever order they came.
        """
        if self._shown is not None and self._one_each:
            return int(self._shown[product])
        columns = self._columns
        passes = columns.valid if self._mask is None else self._mask
        key = int(self._attributes.hashes(np.array([product]))[0]).to_bytes(8, "little")
        there = self._state.rows.of_product(key)
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
        scores = self._scores
        chosen = np.arange(len(self._numbers))
        if len(chosen) > 4 * limit:
            first = np.where(unknown, np.inf, self._key) if self._key.any() else -scores
            chosen = np.flatnonzero(first <= np.partition(first, limit - 1)[limit - 1]) if limit else chosen[:0]
        hashes = self._attributes.hashes(self._numbers[chosen])
        order = np.lexsort((hashes, -scores[chosen], self._key[chosen], unknown[chosen]))[:limit]
        best = chosen[order]
        rows = [self._row_of(product) for product in self._numbers[best].tolist()]
        return list(zip(rows, scores[best].tolist(), self._key[best].tolist(), strict=True))

    def matching_rows(self) -> NDArray[np.int64]:
        """The rows of all listed products that pass."""
        rows = self._all_rows()
        products = self._columns.product[rows]
        matched = np.zeros(1 + int(products.max(initial=-1)), dtype=np.bool_)
        matched[: len(self._matched)] = self._matched[: len(matched)]
        matching: NDArray[np.int64] = rows[matched[products]]
        return matching

    def _all_rows(self) -> NDArray[np.int64]:
        """Those that pass, whatever their words."""
        if self._rows is None:
            self._rows = np.flatnonzero(self._columns.passing(None, searchable=False))
        return self._rows
