"""From a word of a query to words of the vocabulary: itself, its fellows by stem, completions, corrections."""

from __future__ import annotations

from dataclasses import dataclass
from typing import NamedTuple

from indexing.words.query import QueryWord
from indexing.words.typos import forgives, neighbours
from indexing.words.vocabulary import Vocabulary

MAX_COMPLETIONS = 64
MAX_CORRECTIONS = 8

STEM_FACTOR = 0.9
"""What a match by stem is worth beside the word as written."""
COMPLETION_FACTOR = 0.5
CORRECTION_FACTOR = 0.5


@dataclass(frozen=True, slots=True)
class Reading:
    """How a word of a query was understood, for `explain`; all words as they are in the vocabulary.

    by_stem: other words of its stem. completions: of a prefix. corrections: if
    it was taken for a typo.
    """

    word: str
    is_known: bool
    by_stem: tuple[str, ...] = ()
    completions: tuple[str, ...] = ()
    corrections: tuple[str, ...] = ()


class Alternative(NamedTuple):
    """Words, by id, that count as one, and what a match is worth."""

    factor: float
    numbers: tuple[int, ...]


class Resolved(NamedTuple):
    """A word of a query in ids; each of the four may be empty."""

    word: str
    itself: tuple[int, ...]
    by_stem: tuple[int, ...] = ()
    completions: tuple[int, ...] = ()
    corrections: tuple[int, ...] = ()

    def alternatives(self) -> list[Alternative]:
        """The closest first. A word and its fellows by stem are one alternative, beside the word alone."""
        with_stem = (*self.itself, *self.by_stem) if self.by_stem else ()
        found = (
            Alternative(STEM_FACTOR, with_stem),
            Alternative(1.0, self.itself),
            Alternative(COMPLETION_FACTOR, self.completions),
            Alternative(CORRECTION_FACTOR, self.corrections),
        )
        return [alternative for alternative in found if alternative.numbers]

    def reading(self, vocabulary: Vocabulary) -> Reading:
        """In words."""

        def words(numbers: tuple[int, ...]) -> tuple[str, ...]:
            return tuple(word for number in numbers if (word := vocabulary.word(number)) is not None)

        return Reading(
            self.word,
            bool(self.itself),
            tuple(sorted(words(self.by_stem))),
            words(self.completions),
            words(self.corrections),
        )


def resolve_exactly(vocabulary: Vocabulary, word: str) -> Resolved:
    """The word as it is written; a word of a phrase."""
    number = vocabulary.get(word)
    return Resolved(word, () if number is None else (number,))


def resolve(vocabulary: Vocabulary, asked: QueryWord) -> Resolved:
    """All that the word may stand for. A typo is looked for only where nothing else is found."""
    itself = resolve_exactly(vocabulary, asked.word).itself
    by_stem = () if asked.stem is None else tuple(n for n in vocabulary.with_stem(asked.stem) if n not in itself)
    completions: tuple[int, ...] = ()
    if asked.is_prefix:
        longer = [word for word in vocabulary.beginning_with(asked.word) if word != asked.word]
        completions = tuple(vocabulary.most_frequent(longer, MAX_COMPLETIONS))
    if itself or by_stem or completions or not forgives(asked.word):
        return Resolved(asked.word, itself, by_stem, completions)
    known = vocabulary.known(neighbours(asked.word, vocabulary.letters()))
    return Resolved(asked.word, (), corrections=tuple(vocabulary.most_frequent(sorted(known), MAX_CORRECTIONS)))
