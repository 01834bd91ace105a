"""The vocabulary: every word of a living document, its postings, in how many documents it is, its fellows by stem.

Only words of living documents are in it: a word leaves with the last document
that had it. So a word's being there says that a product has it, and of an
erased word nothing is left.

A posting is one number of 32 bits, document and weighted term frequency
together, appended by one call: a reader never finds one without the other,
and a rare word costs one array instead of two.

Stems have no postings of their own. A stem is a tuple of words, and who
searches by stem searches all of these: half of the memory and of the writing.
"""

from __future__ import annotations

from array import array
from collections import Counter
from collections.abc import Iterable, Sequence

import numpy as np

from indexing.words.sorted_words import SortedWords
from indexing.words.stems import stemmer

FREQUENCY_BITS = 6
MAX_FREQUENCY = (1 << FREQUENCY_BITS) - 1
"""Greatest weighted term frequency told apart; BM25 gives it 98 % of what any number of words could get."""
MAX_DOCUMENTS = 1 << (32 - FREQUENCY_BITS)
_LEAST_LETTERS = 4
"""Words from this length on lend their letters to the search for a typo, which concerns words of five."""
_WORD_BYTES = 230
"""Of a word without its postings, measured: text, dict entry, empty array, places in lists."""
_STEM_BYTES = 150
"""Of a stem and its words' ids."""


class Vocabulary:
    """Words by id; ids are never given to another word. Written by one thread, read by any."""

    def __init__(
        self, language: str, words: Sequence[str] = (), postings: Iterable[array[int]] = (), counts: Iterable[int] = ()
    ) -> None:
        """words: with ids 0, 1 and so on; postings and counts of living documents, by id."""
        self.language = language
        self.removals = 0
        """Grows *before* a word is taken out and *after* its document has ceased to be the present one."""
        self._words: list[str | None] = list(words)
        self._postings: list[array[int] | None] = list(postings)
        self._counts = array("i", counts)
        self._entries = sum(len(entries) for entries in self._postings if entries is not None)
        self._ids = {word: number for number, word in enumerate(words)}
        self._sorted = SortedWords(words)
        self._letters: Counter[str] = Counter("".join(word for word in words if len(word) >= _LEAST_LETTERS))
        self._fellows: dict[str, tuple[int, ...]] = {}
        stem = stemmer(language)
        if stem:
            fellows: dict[str, list[int]] = {}
            for number, word in enumerate(words):
                fellows.setdefault(stem(word), []).append(number)
            self._fellows = {stemmed: tuple(numbers) for stemmed, numbers in fellows.items()}

    def __len__(self) -> int:
        return len(self._ids)

    # -- reading: any thread -------------------------------------------------------------------

    def get(self, word: str) -> int | None:
        """A word's id."""
        return self._ids.get(word)

    def ids_of(self, words: Iterable[str]) -> list[int]:
        """Ids of those of the words that are there."""
        return [number for number in map(self._ids.get, words) if number is not None]

    def most_frequent(self, words: Sequence[str], limit: int) -> list[int]:
        """Ids of the words that most living documents have, these first; of equal ones those that stand first."""
        numbers = self.ids_of(words)
        counts = np.fromiter(map(self._counts.__getitem__, numbers), np.int64, len(numbers))
        keys = counts << 32 | np.arange(len(numbers), 0, -1)
        if len(keys) > limit:
            keys = np.partition(keys, len(keys) - limit)[len(keys) - limit :]
        places = len(numbers) - (np.sort(keys)[::-1] & 0xFFFFFFFF)
        return [numbers[place] for place in places.tolist()]

    def known(self, words: set[str]) -> set[str]:
        """Those of the words that are there."""
        return self._ids.keys() & words

    def with_stem(self, stem: str) -> tuple[int, ...]:
        """Ids of all words with a stem."""
        return self._fellows.get(stem, ())

    def beginning_with(self, prefix: str) -> list[str]:
        """All words that begin so, in order."""
        return self._sorted.beginning_with(prefix)

    def letters(self) -> list[str]:
        """Letters of longer words, the most frequent first."""
        counted = dict(self._letters)  # by one step; items one by one could meet the writer
        return sorted(counted, key=lambda letter: (-counted[letter], letter))

    def word(self, number: int) -> str | None:
        """None once it has gone."""
        return self._words[number]

    def count(self, number: int) -> int:
        """How many living documents have the word."""
        return self._counts[number]

    def postings(self, number: int) -> bytes:
        """A copy of a word's postings, uint32, ascending: document << FREQUENCY_BITS | frequency.

        A copy, by one call under the GIL: a view of an array forbids its writer to append.
        """
        entries = self._postings[number]
        return b"" if entries is None else entries.tobytes()

    # -- writing: one thread -------------------------------------------------------------------

    def add(self, word: str) -> int:
        """A new word without documents; returns its id."""
        number = len(self._words)
        self._words.append(word)
        self._postings.append(array("I"))
        self._counts.append(0)
        stem = stemmer(self.language)
        if stem:
            stemmed = stem(word)
            self._fellows[stemmed] = (*self._fellows.get(stemmed, ()), number)
        if len(word) >= _LEAST_LETTERS:
            self._letters.update(word)
        self._sorted.add(word)
        self._ids[word] = number
        return number

    def post(self, document: int, frequencies: dict[int, int]) -> None:
        """Appends a document to the postings of its words."""
        shifted, postings = document << FREQUENCY_BITS, self._postings
        for number, frequency in frequencies.items():
            entries = postings[number]
            assert entries is not None, "a document's words were looked up for it"
            entries.append(shifted | (frequency if frequency < MAX_FREQUENCY else MAX_FREQUENCY))
        self._entries += len(frequencies)

    def count_in(self, numbers: Iterable[int]) -> None:
        """A living document more for each of these words."""
        counts = self._counts
        for number in numbers:
            counts[number] += 1

    def count_out(self, numbers: Iterable[int]) -> None:
        """A living document less for each of these words; a word that has none left goes."""
        counts = self._counts
        for number in numbers:
            counts[number] -= 1
            if not counts[number]:
                self._remove(number)

    def _remove(self, number: int) -> None:
        self.removals += 1
        word, entries = self._words[number], self._postings[number]
        assert word is not None and entries is not None, "a word with documents is there"
        del self._ids[word]
        self._sorted.remove(word)
        if len(word) >= _LEAST_LETTERS:
            self._letters.subtract(word)
            for letter in set(word):
                if not self._letters[letter]:
                    del self._letters[letter]
        stem = stemmer(self.language)
        if stem:
            stemmed = stem(word)
            fellows = tuple(other for other in self._fellows[stemmed] if other != number)
            if fellows:
                self._fellows[stemmed] = fellows
            else:
                del self._fellows[stemmed]
        self._words[number] = self._postings[number] = None
        self._entries -= len(entries)

    def living_words(self) -> list[tuple[int, str]]:
        """(id, word) of all, ids ascending."""
        return [(number, word) for number, word in enumerate(self._words) if word is not None]

    @property
    def allocated(self) -> int:
        """Bytes of memory held, about. Any thread."""
        return 4 * self._entries + _WORD_BYTES * len(self._ids) + _STEM_BYTES * len(self._fellows)
