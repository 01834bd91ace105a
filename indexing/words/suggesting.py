"""Completions of a word that is being typed."""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple

import numpy as np

from indexing.words.building import WordState
from indexing.words.tokens import MAX_WORD_LENGTH, tokens_of
from indexing.words.vocabulary import FREQUENCY_BITS

_MOST_ASKED = 2000
"""Products asked about for one answer, so that a word of thousands of products off sale bounds its time."""
_SPARE = 4
"""Words looked at for each that is wanted, since some have no product on sale."""


class Completion(NamedTuple):
    """A word, folded, and how many products have it, on sale or not."""

    word: str
    products: int


def suggest(state: WordState, text: str, limit: int, is_alive: Callable[[int], bool]) -> list[Completion]:
    """See `WordIndex.suggest`. Any thread."""
    vocabulary, documents = state
    tokens = tokens_of(text[-4 * MAX_WORD_LENGTH :])
    if limit < 1 or not tokens or not tokens[-1].at_end:
        return []
    left = _MOST_ASKED
    found: list[Completion] = []
    present = documents.present()
    if not len(present):
        return []
    for number in vocabulary.most_frequent(vocabulary.beginning_with(tokens[-1].word), limit * _SPARE):
        docs = (np.frombuffer(vocabulary.postings(number), np.uint32) >> FREQUENCY_BITS).view(np.int32)
        products = documents.doc_product.take(docs, mode="clip")
        products = products[present.take(products, mode="clip") == docs][:left]
        for product in products.tolist():
            left -= 1
            if is_alive(product):
                word = vocabulary.word(number)
                if word is not None:
                    found.append(Completion(word, vocabulary.count(number)))
                break
        if len(found) == limit or not left:
            break
    return found
