"""Keyword search over the products of one shard.

Threads: `put`, `drop` and `compact` are called by one thread, the writer.
`search`, `suggest` and the properties are called by any number of threads and
take no lock.

What readers may rely on, and why:

- A product has one present document: one cell of 32 bits, written at the end.
  Before it is written the document's words are in the vocabulary, its columns
  are filled and its postings appended. A reader copies these cells first and
  reads postings afterwards, so every document that it takes for present has all
  its postings, and it finds each product by its old text or by its new one,
  never by both and never by neither.
- A word leaves the vocabulary after the last document that had it has ceased to
  be present, and a count of removals grows in between. A reader who finds that
  count moved looks its words up again.
- Arrays of numpy that grow are replaced by longer ones, never resized: who
  reads an old one has all that was there when it took it. Ids and document
  numbers are never given twice. `compact` makes another state and publishes it
  by one assignment; searches under way end in the old one.
- Under the GIL an assignment of an attribute, an item of a list or dict, a cell
  of numpy, `array.append` and `array.tobytes` are each one step. A reader
  copies an array by `tobytes` and never holds a view of one, which would make
  the writer's next append a BufferError.

Counts of documents and their total length may be of a moment later than the
cells: beside a writer a score differs by what one text changes in it.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable

import numpy as np
from numpy.typing import NDArray

from indexing.words.building import Texts, WordState, built, compacted, fields_of, fingerprint
from indexing.words.documents import GAP, NO_DOCUMENT, Documents
from indexing.words.query import WordQuery
from indexing.words.search import Matches, search
from indexing.words.stems import stemmer
from indexing.words.suggesting import Completion, suggest
from indexing.words.vocabulary import MAX_DOCUMENTS, Vocabulary

__all__ = ["Completion", "Matches", "Texts", "WordIndex"]

_LEAST_DEAD = 4096


class WordIndex:
    """Texts of products by product number; `language`: whose stems words are matched by, "" for none.

    Raises `OperatorError` for a language without a stemmer.
    """

    def __init__(self, language: str = "") -> None:
        stemmer(language)
        self._state = WordState(Vocabulary(language), Documents.empty())

    @classmethod
    def bulk(cls, items: Iterable[tuple[int, Texts]], language: str = "") -> WordIndex:
        """An index of these products' texts, as `put` would make it, many times as fast.

        Raises `ValueError` for a product given twice.
        """
        index = cls(language)
        index._state = built(items, language)
        return index

    @property
    def language(self) -> str:
        """Whose stems words are matched by."""
        return self._state.vocabulary.language

    def __len__(self) -> int:
        """Products that have a text."""
        return self._state.documents.living

    @property
    def words(self) -> int:
        """Different words of living documents."""
        return len(self._state.vocabulary)

    @property
    def allocated(self) -> int:
        """Bytes of memory held, about."""
        return self._state.vocabulary.allocated + self._state.documents.allocated

    # -- writing: one thread -------------------------------------------------------------------

    def put(self, product: int, texts: Texts) -> bool:
        """Sets the text of a product, (weight, text) for each field; searches find it once this returns.

        product: from 0, dense; memory grows with the highest. False when it is
        the text that the product had. Words beyond `tokens.MAX_WORDS` are left
        out. Raises `ValueError` for a weight below 1.
        """
        if product < 0:
            raise ValueError(f"product {product}: products are numbered from 0")
        vocabulary, documents = self._state
        mark = fingerprint(texts)
        old = documents.present_of(product)
        if old != NO_DOCUMENT and documents.fingerprint_of(product) == mark:
            return False
        if documents.count == MAX_DOCUMENTS:
            self._make_room()
            return self.put(product, texts)
        stream: list[int] = []
        frequencies: dict[int, int] = {}
        length = 0
        for weight, words in fields_of(texts):
            length += weight * len(words)
            for word in words:
                number = vocabulary.get(word)
                if number is None:
                    number = vocabulary.add(word)
                stream.append(number)
                frequencies[number] = frequencies.get(number, 0) + weight
            stream.append(GAP)
        document = documents.append(product, length, stream)
        vocabulary.post(document, frequencies)
        vocabulary.count_in(frequencies)
        documents.account(document, 1)
        documents.switch(product, document, mark)
        if old != NO_DOCUMENT:
            self._forget(old)
        return True

    def drop(self, product: int) -> bool:
        """Forgets a product; a word that only it had is nowhere in memory any more. False when it had no text.

        Numbers of words that other products have too stay with its dead
        documents, though nothing shows them, until `compact(force=True)`.
        """
        documents = self._state.documents
        old = documents.present_of(product)
        if old == NO_DOCUMENT:
            return False
        documents.switch(product, NO_DOCUMENT, 0)
        self._forget(old)
        return True

    def _forget(self, document: int) -> None:
        """Takes a document that is not present any more out of all counts."""
        vocabulary, documents = self._state
        documents.account(document, -1)
        vocabulary.count_out(documents.words_of(document))

    def _make_room(self) -> None:
        self.compact(force=True)
        if self._state.documents.count == MAX_DOCUMENTS:
            raise ValueError(f"a shard takes the texts of {MAX_DOCUMENTS - 1} products: use more shards")

    def compact(self, *, force: bool = False) -> bool:
        """Leaves dead documents behind if they are the greater part, or in any case with `force`. Writer thread only.

        Call it after a batch. True if it did. Needs the memory of the index twice while it runs.
        """
        documents = self._state.documents
        if not force and (documents.dead < _LEAST_DEAD or documents.dead <= documents.living):
            return False
        self._state = compacted(self._state)
        return True

    # -- reading: any thread -------------------------------------------------------------------

    def search(
        self,
        query: WordQuery,
        matching: NDArray[np.bool_] | None = None,
        all_words: bool = True,
        limit: int | None = None,
        counted: NDArray[np.bool_] | None = None,
    ) -> Matches:
        """All products that match, and the best of them in order.

        query: from `parse_words`, with the index's language. matching: by
        product number, who may match; a product beyond its end may not; None:
        all. all_words: every word must be there, or one that it may stand for;
        else one of them is enough. Phrases must be there in any case. limit:
        how many are put in order, with those that score as the last of them does;
        None: all. counted: who may match though others are put in order, those of
        `matching` among them; None: these. An empty query matches nothing.
        """
        return search(self._state, query, matching, all_words, limit, counted)

    def suggest(self, prefix_text: str, limit: int, is_alive: Callable[[int], bool]) -> list[Completion]:
        """Words that the last word of the text may become, or is, the most frequent first.

        Each is of a product for which `is_alive(product)` says True. None if the
        text does not end with a word.
        """
        return suggest(self._state, prefix_text, limit, is_alive)
