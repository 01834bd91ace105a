"""What a map learns from: texts, pictures, and which text says what of which picture."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from indexing.meaning.map import unit

NO_TEXT = -1


@dataclass(frozen=True, slots=True)
class Lessons:
    """texts (t, d) float32, each different, of unit length. pictures (n, D) float32, of unit length.

    said (n, p) int32: of each picture the texts that are said of it, `NO_TEXT` to fill up; the first is the title.
    groups (n,) int64: pictures of one product have one number; none is learned from and tested on at once.
    """

    texts: NDArray[np.float32]
    pictures: NDArray[np.float32]
    said: NDArray[np.int32]
    groups: NDArray[np.int64]

    def of(self, pictures: NDArray[np.bool_] | NDArray[np.intp]) -> Lessons:
        """The same of some pictures."""
        return Lessons(self.texts, self.pictures[pictures], self.said[pictures], self.groups[pictures])

    def means(self) -> tuple[NDArray[np.intp], NDArray[np.float32], NDArray[np.float32]]:
        """(texts that are said at all, the mean picture of each, of how many)."""
        picture, _ = where = np.nonzero(self.said != NO_TEXT)
        text = self.said[where]
        counts = np.bincount(text, minlength=len(self.texts))
        sums = np.zeros((len(self.texts), self.pictures.shape[1]), np.float32)
        order = np.argsort(text, kind="stable")
        known = np.flatnonzero(counts)
        if len(known):
            starts = np.concatenate(([0], np.cumsum(counts[known])[:-1]))
            for begin in range(0, len(known), _AT_ONCE):  # few texts at a time: their pictures lie side by side
                part = slice(begin, begin + _AT_ONCE)
                first = starts[begin]
                last = starts[begin + _AT_ONCE] if begin + _AT_ONCE < len(known) else len(order)
                rows = self.pictures[picture[order[first:last]]]
                sums[known[part]] = np.add.reduceat(rows, starts[part] - first, axis=0)
        return known, sums[known] / counts[known, None].astype(np.float32), counts[known].astype(np.float32)


_AT_ONCE = 1024


def distinct(phrases: Sequence[Sequence[str]]) -> tuple[list[str], NDArray[np.int32]]:
    """(each text once, to be encoded; `Lessons.said`) of the phrases of each picture, the title first, "" for none."""
    numbers: dict[str, int] = {}
    said = np.full((len(phrases), max(map(len, phrases), default=0)), NO_TEXT, np.int32)
    for row, texts in enumerate(phrases):
        for column, text in enumerate(texts):
            if text:
                said[row, column] = numbers.setdefault(text, len(numbers))
    return list(numbers), said


def lessons(
    texts: NDArray[np.float32], pictures: NDArray[np.float32], said: NDArray[np.int32], groups: NDArray[np.int64]
) -> Lessons:
    """Checked and normalised; a text without a word (zeros) is said of nothing. Raises `ValueError` for lengths."""
    if not len(pictures) == len(said) == len(groups) or int(said.max(initial=NO_TEXT)) >= len(texts):
        raise ValueError(f"{len(pictures)} pictures, {len(said)} rows of {len(texts)} texts, {len(groups)} groups")
    empty = np.append(~texts.any(axis=1), False)  # the last is for NO_TEXT
    said = np.where(empty[said], NO_TEXT, said).astype(np.int32)
    return Lessons(unit(texts.astype(np.float32)), unit(pictures.astype(np.float32)), said, groups)
