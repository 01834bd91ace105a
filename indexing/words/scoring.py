"""How well products match: BM25 over weighted fields, summed by product.

BM25F in its simple form (Robertson and Zaragoza, 2009, "The Probabilistic
Relevance Framework: BM25 and Beyond"): frequencies and lengths are sums over
the fields, weighted before they saturate. A word of a query with several
alternatives gets one inverse document frequency, of the closest that products
have, and a product gets the best of its alternatives: a rare completion is
never worth more than the word itself for being rare.
"""

from __future__ import annotations

import math
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from indexing.words.documents import Documents
from indexing.words.resolving import Resolved
from indexing.words.vocabulary import FREQUENCY_BITS, MAX_FREQUENCY, Vocabulary

K1 = 1.2
B = 0.75

_SEEK = 4
"""Candidates are sought in the postings of a word that has this many times as many; else the postings are read."""

_Docs = NDArray[np.intp]
_Floats = NDArray[np.float32]


def inverse_frequency(documents: int, having: int) -> float:
    """What a word that `having` of the documents have says about one."""
    return math.log(1.0 + (documents - having + 0.5) / (having + 0.5))


class Postings(NamedTuple):
    """Copies of the postings behind a word of a query: factor and lists of each alternative, the closest first.

    having: living documents with the closest, a document with several of its words counted for each.
    """

    alternatives: list[tuple[float, list[bytes]]]
    having: int

    @classmethod
    def of(cls, word: Resolved, vocabulary: Vocabulary) -> Postings:
        """To be taken after `Documents.present`."""
        alternatives = word.alternatives()
        copies = [(factor, [vocabulary.postings(number) for number in numbers]) for factor, numbers in alternatives]
        having = sum(vocabulary.count(number) for number in alternatives[0].numbers) if alternatives else 0
        return cls(copies, having)

    @property
    def is_one_list(self) -> bool:
        """There is one alternative, of one word."""
        return len(self.alternatives) == 1 and len(self.alternatives[0][1]) == 1


class Scoring:
    """Scores by product, (products,) float32; and `candidates`, who has every needed word so far, None before one."""

    def __init__(
        self, documents: Documents, present: NDArray[np.int32], matching: NDArray[np.bool_] | None = None
    ) -> None:
        """To be made after the postings were copied: the columns then reach as far. matching: as long as `present`."""
        self._doc_product, self._doc_length = documents.doc_product, documents.doc_length
        self._documents = documents.living
        average = documents.total_length / max(1, self._documents) or 1.0
        self._norm, self._norm_of_length = np.float32(K1 * (1 - B)), np.float32(K1 * B / average)
        self._present, self._matching = present, matching
        self.scores = np.zeros(len(present), np.float32)
        self.candidates: _Docs | None = None

    def need(self, postings: Postings) -> None:
        """Adds a word that every match has. The rarest first: the next are then sought for few products."""
        if self.candidates is None:
            self.candidates = self.add(postings)
        elif postings.is_one_list and _SEEK * len(self.candidates) < postings.having:
            self.candidates = self._seek(postings)
        else:
            has = np.zeros(len(self._present), np.bool_)
            has[self.add(postings)] = True
            self.candidates = self.candidates.compress(has.take(self.candidates))

    def add(self, postings: Postings) -> _Docs:
        """Adds a word; returns the products that have it, each once."""
        idf: float | None = None
        best: _Floats | None = None
        for factor, copies in postings.alternatives:
            docs, frequencies = _merged(copies)
            products = self._doc_product.take(docs, mode="clip").astype(np.intp)
            # A product newer than `present` is clipped to another, whose document is another.
            keep = self._present.take(products, mode="clip") == docs
            living = int(np.count_nonzero(keep))
            if idf is None:
                if not living:
                    continue
                idf = inverse_frequency(max(self._documents, living), living)
            if self._matching is not None:
                keep &= self._matching.take(products, mode="clip")
                living = int(np.count_nonzero(keep))
            if living < len(docs):
                kept = np.flatnonzero(keep)
                docs, frequencies, products = docs.take(kept), frequencies.take(kept), products.take(kept)
            values = self._values(idf * factor, docs, frequencies)
            if len(postings.alternatives) == 1:
                self.scores[products] += values
                return products
            if best is None:
                best = np.zeros(len(self._present), np.float32)
            best[products] = np.maximum(best.take(products), values)
        if best is None:
            return np.empty(0, np.intp)
        self.scores += best
        return np.flatnonzero(best)

    def _seek(self, postings: Postings) -> _Docs:
        """Adds a word to the candidates alone, and returns those that have it."""
        assert self.candidates is not None, "there are few of them"
        entries = np.frombuffer(postings.alternatives[0][1][0], np.uint32)
        docs = self._present.take(self.candidates)
        places = np.searchsorted(entries, docs.astype(np.uint32) << np.uint32(FREQUENCY_BITS))
        found = entries.take(places, mode="clip")
        kept = np.flatnonzero(found >> FREQUENCY_BITS == docs)
        frequencies = (found.take(kept) & MAX_FREQUENCY).astype(np.float32)
        products = self.candidates.take(kept)
        idf = inverse_frequency(max(self._documents, postings.having), postings.having)
        weight = idf * postings.alternatives[0][0]
        self.scores[products] += self._values(weight, docs.take(kept).astype(np.intp), frequencies)
        return products

    def _values(self, weight: float, docs: _Docs, frequencies: _Floats) -> _Floats:
        denominators = self._doc_length.take(docs, mode="clip").astype(np.float32)
        denominators *= self._norm_of_length
        denominators += self._norm
        denominators += frequencies
        values: _Floats = np.divide(frequencies, denominators, out=denominators)
        values *= np.float32(weight * (K1 + 1))
        return values


def _merged(copies: list[bytes]) -> tuple[_Docs, _Floats]:
    """(documents, frequencies) of words that count as one: each document once, its frequencies summed."""
    if len(copies) == 1:
        postings = np.frombuffer(copies[0], np.uint32)
        return (postings >> FREQUENCY_BITS).astype(np.intp), (postings & MAX_FREQUENCY).astype(np.float32)
    postings = np.sort(np.frombuffer(b"".join(copies), np.uint32))
    docs = postings >> FREQUENCY_BITS
    if not len(docs):
        return docs.astype(np.intp), docs.astype(np.float32)
    changes = np.empty(len(docs), np.bool_)
    changes[0] = True
    np.not_equal(docs[1:], docs[:-1], out=changes[1:])
    firsts = np.flatnonzero(changes)
    frequencies = np.add.reduceat(postings & MAX_FREQUENCY, firsts)
    return docs.take(firsts).astype(np.intp), np.minimum(frequencies, MAX_FREQUENCY).astype(np.float32)
