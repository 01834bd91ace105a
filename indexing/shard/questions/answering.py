"""Answers questions that are more than the nearest vectors: filters, words, lists in an order, counts."""

from __future__ import annotations

import numpy as np
from msgspec.structs import replace
from numpy.typing import NDArray

from indexing.attributes.facets import count_within, distinct_products
from indexing.rows.results import ANSWER_ATTRIBUTES_BYTES, HIT_ATTRIBUTES_BYTES
from indexing.shard.attributes import ProductAttributes
from indexing.shard.passing import PassingRows, hit_that_passes
from indexing.shard.questions.listing import Listing
from indexing.shard.questions.naming import Name, names
from indexing.shard.questions.question import ShardAnswer, ShardQuestion
from indexing.shard.reader import ShardReader
from indexing.shard.state import ShardState
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
        nprobe = question.nprobe or self._state.probes
        columns = self._attributes.columns
        if question.tree is None:
            answer.found = self._reader.search(question.vectors, question.limit, nprobe, question.with_vectors)
            plan = f"no filter, {nprobe} of {len(self._state.lists)} lists scanned"
            own = self._findable(None) if question.facets else None
        else:
            passing = PassingRows(self._state, self._attributes, question.tree, nprobe)
            own = passing.rows() if question.facets else None
            answer.found = self._reader.search_passing(question.vectors, question.limit, passing, question.with_vectors)
            plan = passing.plan
        if own is not None:
            found = own
            answer.facets = count_within(
                columns,
                question.tree,
                question.facets,
                lambda scope: found if scope is question.tree else self._findable(scope),
            )
            answer.matches = distinct_products(columns, own)
        return plan

    def _findable(self, tree: Filter | None) -> NDArray[np.int64]:
        """The rows, ascending, that can be found by their vector and pass."""
        return self._attributes.columns.passing(tree, searchable=True).numbers

    def _list(self, question: ShardQuestion, answer: ShardAnswer) -> str:
        for look in range(_LOOKS + 1):
            writes = self._attributes.columns.writes
            listing = Listing(self._state, self._attributes, question)
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
                answer.facets = listing.facets()
        return listing.plan

    def _hit(self, question: ShardQuestion, writes: int, number: int, score: float, longest: int) -> Hit | None:
        """The row as it is now, None where it does not belong into the list any more."""
        if question.tree is None:
            hit = self._state.forward.hit(number, score, longest, listed=True)
        else:
            hit = hit_that_passes(
                self._state, self._attributes, question.tree, writes, number, score, longest, listed=True
            )
        return self._reader.with_vector(hit, number) if hit is not None and question.with_vectors else hit

    def _follow(self, question: ShardQuestion, number: int, score: float, longest: int) -> Hit | None:
        """Another image of the row's product, or the image's next row, if that belongs into the list."""
        for other in self._state.rows.of_product(self._state.forward.read(number).image_id[:8]):
            if other != number and (hit := self._hit(question, -1, other, score, longest)) is not None:
                return hit
        return None

    def names(self, text: str, limit: int) -> list[Name]:
        """See `Shard.names`."""
        return names(self._state, self._attributes, text, limit)


def _always(_product: int) -> bool:
    return True
