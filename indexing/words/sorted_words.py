"""Words in order, for completions: written by one thread, read whole and consistent by any.

A list of lists that are never changed: an insertion copies one list of some
hundred words and the list of lists, 8 us at 100,000 words, and publishes
both by one assignment. A reader works on what it found when it began.
"""

from __future__ import annotations

from bisect import bisect_left, bisect_right
from collections.abc import Iterable
from typing import NamedTuple

_LONGEST = 512
_AFTER_ALL = "\U0010ffff"


class _Lists(NamedTuple):
    """Non-empty lists of words, and the first word of each; with no words at all, one empty list."""

    firsts: list[str]
    lists: list[list[str]]


class SortedWords:
    """A set of words by code point."""

    def __init__(self, words: Iterable[str] = ()) -> None:
        ordered, size = sorted(words), _LONGEST // 2
        lists = [ordered[at : at + size] for at in range(0, len(ordered), size)] or [[]]
        self._published = _Lists([part[0] if part else "" for part in lists], lists)

    def add(self, word: str) -> None:
        """A word that is not in it. Writer thread only."""
        firsts, lists = self._published
        place = max(0, bisect_right(firsts, word) - 1)
        part = lists[place].copy()
        part.insert(bisect_left(part, word), word)
        half = len(part) // 2
        self._replace(place, [part] if len(part) <= _LONGEST else [part[:half], part[half:]])

    def remove(self, word: str) -> None:
        """A word that is in it. Writer thread only."""
        firsts, lists = self._published
        place = max(0, bisect_right(firsts, word) - 1)
        part = lists[place].copy()
        del part[bisect_left(part, word)]
        self._replace(place, [part] if part or len(lists) == 1 else [])

    def _replace(self, place: int, parts: list[list[str]]) -> None:
        firsts, lists = self._published
        self._published = _Lists(
            [*firsts[:place], *(part[0] if part else "" for part in parts), *firsts[place + 1 :]],
            [*lists[:place], *parts, *lists[place + 1 :]],
        )

    def beginning_with(self, prefix: str) -> list[str]:
        """All words that begin with a prefix, in order, the prefix itself among them if it is one. Any thread."""
        firsts, lists = self._published
        end = prefix + _AFTER_ALL
        found: list[str] = []
        for place in range(max(0, bisect_right(firsts, prefix) - 1), bisect_right(firsts, end)):
            part = lists[place]
            found += part[bisect_left(part, prefix) : bisect_left(part, end)]
        return found
