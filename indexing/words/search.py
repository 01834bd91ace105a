"""The search: which products match, the best of them in order.

All counts are of living documents as one copy of `present` has them, and every
sum runs in an order that the texts alone decide, so equal texts give equal
scores, bit for bit, whatever their history.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from indexing.words.building import WordState
from indexing.words.documents import Documents
from indexing.words.phrases import phrase_stands
from indexing.words.query import WordQuery
from indexing.words.resolving import Reading, resolve, resolve_exactly
from indexing.words.scoring import Postings, Scoring

_ATTEMPTS = 16
"""Beside a writer that takes words out without pause; one is nearly always enough."""
_ALL_BITS = np.uint64(0xFFFFFFFF)


@dataclass(frozen=True, slots=True)
class Matches:
    """What a search found.

    products (m,) int32 and scores (m,) float32: the best, by descending score,
    equal scores by product; all that match, or as many as the limit says and
    those that score as the last of them does: which of these come first is the
    caller's to say, by something that is the same in every shard.
    matched: all that match, by product number, as long as the mask that was
    given (`counted`, where there is one), or as there are products. readings: of
    the words, in their order.
    """

    products: NDArray[np.int32]
    scores: NDArray[np.float32]
    matched: NDArray[np.bool_]
    readings: tuple[Reading, ...]


def search(
    state: WordState,
    query: WordQuery,
    matching: NDArray[np.bool_] | None = None,
    all_words: bool = True,
    limit: int | None = None,
    counted: NDArray[np.bool_] | None = None,
) -> Matches:
    """See `WordIndex.search`. Any thread."""
    most = matching if counted is None else counted
    vocabulary, documents = state
    phrase_words = list(dict.fromkeys(word for phrase in query.phrases for word in phrase))
    # What is present is copied before a posting is read: its documents have all of theirs. Its words
    # are in the vocabulary unless one was taken out since, and then `removals` has grown.
    for _ in range(_ATTEMPTS):
        removals = vocabulary.removals
        present = documents.present()
        in_phrases = [resolve_exactly(vocabulary, word) for word in phrase_words]
        resolved = [resolve(vocabulary, word) for word in query.words]
        postings = [Postings.of(word, vocabulary) for word in (*in_phrases, *resolved)]
        if vocabulary.removals == removals:
            break
    needed = len(postings) if all_words else len(in_phrases)
    allowed = None if most is None else _resized(most, len(present))
    scores, found = _scored(documents, present, allowed, postings[:needed], postings[needed:])
    for phrase in query.phrases if len(found) else ():
        numbers = [in_phrases[phrase_words.index(word)].itself[0] for word in phrase]
        found = found.compress(phrase_stands(numbers, present.take(found), *documents.words_in_order()))
    matched = np.zeros(len(present) if most is None else max(len(most), len(present)), np.bool_)
    matched[found] = True
    if matching is not None and counted is not None:
        found = found.compress(_resized(matching, len(present)).take(found))
    products, best = _best(found, scores, limit)
    return Matches(
        products,
        best,
        matched if most is None else matched[: len(most)],
        tuple(word.reading(vocabulary) for word in resolved),
    )


def _resized(mask: NDArray[np.bool_], size: int) -> NDArray[np.bool_]:
    """The mask cut to a length, or lengthened by False."""
    if len(mask) >= size:
        return mask[:size]
    return np.concatenate((mask, np.zeros(size - len(mask), np.bool_)))


def _scored(
    documents: Documents,
    present: NDArray[np.int32],
    matching: NDArray[np.bool_] | None,
    needed: Sequence[Postings],
    wanted: Sequence[Postings],
) -> tuple[NDArray[np.float32], NDArray[np.intp]]:
    """(scores by product, products that match): all of the needed words, or if there are none, any of the wanted."""
    scoring = Scoring(documents, present, matching)
    # Before the first product is there, one may just be being put.
    if not len(present) or not all(word.alternatives for word in needed):
        return scoring.scores, np.empty(0, np.intp)
    for word in sorted(needed, key=lambda word: word.having):
        scoring.need(word)
    for word in wanted:
        scoring.add(word)
    return scoring.scores, np.flatnonzero(scoring.scores) if scoring.candidates is None else scoring.candidates


def _best(
    products: NDArray[np.intp], scores: NDArray[np.float32], limit: int | None
) -> tuple[NDArray[np.int32], NDArray[np.float32]]:
    """The best of these products, in order; all that score as the last of `limit` does, since others decide among them.

    Score and product make one number: the bits of a float32 above 0 are in the
    order of its value, so that one partition and one sort settle ties as well.
    """
    bits = scores.take(products).view(np.uint32).astype(np.uint64)
    keys = bits << np.uint64(32) | (_ALL_BITS - products.astype(np.uint64))
    if limit is not None and limit < 1:
        keys = keys[:0]
    elif limit is not None and limit < len(keys):
        least = np.partition(bits, len(bits) - limit)[len(bits) - limit]
        keys = keys[bits >= least]
    keys = np.sort(keys)[::-1]
    return (_ALL_BITS - (keys & _ALL_BITS)).astype(np.int32), (keys >> np.uint64(32)).astype(np.uint32).view(np.float32)
