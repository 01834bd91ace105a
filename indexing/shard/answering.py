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
        if question.tree is None:
            answer.found = self._reader.search(question.vectors, question.limit, nprobe, question.with_vectors)
            plan = f"no filter, {nprobe} of {len(self._state.lists)} lists scanned"
        else:
            passing = PassingRows(self._state, self._attributes, question.tree, nprobe)
            answer.found = self._reader.search_passing(question.vectors, question.limit, passing, question.with_vectors)
            plan = passing.plan
        if question.facets:
            columns = self._attributes.columns
            rows = len(columns)
            mask = columns.searchable[:rows]
            found = np.flatnonzero(mask if question.tree is None else columns.mask(question.tree, rows, mask))
            answer.facets = count(columns, found, question.facets)
            answer.matches = distinct_products(columns, found)
        return plan

    def _list(self, question: ShardQuestion, answer: ShardAnswer) -> str:
        for look in range(_LOOKS + 1):
            writes = self._attributes.columns.writes
            listing = _Listing(self._state, self._attributes, question)
            hits = []
            dropped = False
            room = ANSWER_ATTRIBUTES_BYTES
            for number, score, key in listing.best(question.list_limit):
                hit = self._hit(question, writes, number, score, min(room, HIT_ATTRIBUTES_BYTES))
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


def _always(_product: int) -> bool:
    return True


class _Listing:
    """Products on sale that pass the filter and have the words, each shown by one image, as of one moment."""

    def __init__(self, state: ShardState, attributes: ProductAttributes, question: ShardQuestion) -> None:
        columns = attributes.columns
        rows = len(columns)
        mask = columns.valid[:rows]
        if question.tree is not None:
            mask = columns.mask(question.tree, rows, mask)
        self._rows = np.flatnonzero(mask)
        self._products = columns.product[self._rows]
        shown = np.full(attributes.products, -1, dtype=np.int64)
        # Written backwards, so that the first row of a product stands; one with a vector before one without.
        shown[self._products[::-1]] = self._rows[::-1]
        searchable = columns.searchable[self._rows]
        shown[self._products[searchable][::-1]] = self._rows[searchable][::-1]
        self.corrected: dict[str, str] = {}
        listed = shown >= 0
        if question.words:
            query = parse_words(question.words, attributes.indexed.language)
            matches = attributes.words.search(query, listed, all_words=not question.any_word)
            numbers, scores = matches.products, matches.scores
            self.corrected = {
                reading.word: ", ".join(reading.corrections) for reading in matches.readings if reading.corrections
            }
        else:
            numbers = np.flatnonzero(listed)
            scores = np.zeros(len(numbers), dtype=np.float32)
        self.products = len(numbers)
        self._numbers = numbers
        self._scores = scores
        self._shown = shown[numbers]
        self._hashes = attributes.hashes(numbers)
        self._key = np.zeros(len(numbers))
        if question.order_by:
            figures = columns.figures(question.order_by.removeprefix("-"))[self._shown]
            self._key = -figures if question.order_by.startswith("-") else figures
        self.plan = f"{len(self._rows)} of {rows} rows pass, {self.products} products listed"

    def best(self, limit: int) -> list[tuple[int, float, float]]:
        """(row, score, key) of the first `limit` products: by key, unknown ones last, then score, then product."""
        unknown = np.isnan(self._key)
        chosen = np.arange(len(self._numbers))
        if len(chosen) > 4 * limit:
            first = np.where(unknown, np.inf, self._key) if self._key.any() else -self._scores
            chosen = np.flatnonzero(first <= np.partition(first, limit - 1)[limit - 1]) if limit else chosen[:0]
        order = np.lexsort((self._hashes[chosen], -self._scores[chosen], self._key[chosen], unknown[chosen]))[:limit]
        best = chosen[order]
        return list(zip(self._shown[best].tolist(), self._scores[best].tolist(), self._key[best].tolist(), strict=True))

    def matching_rows(self) -> NDArray[np.int64]:
        """The rows of all listed products that pass."""
        matching = np.zeros(1 + int(self._products.max(initial=-1)), dtype=np.bool_)
        matching[self._numbers] = True
        rows: NDArray[np.int64] = self._rows[matching[self._products]]
        return rows
