"""From a text to its words: one way, for products and for queries.

Folded first: NFKC, case folded, accents stripped. Then cut into runs of
letters and digits. A script that is written without spaces gives no words to
cut at, so its runs become overlapping pairs of characters (McNamee and
Mayfield, 2004: n-grams do as well as a dictionary where words have no bounds).
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterator
from typing import NamedTuple

MAX_WORDS = 1000
"""Words of one document that are read; what follows them is not found."""
MAX_WORD_LENGTH = 64
"""Characters of a word; longer ones are cut."""
_MAX_TEXT = MAX_WORDS * (MAX_WORD_LENGTH + 1)

_ACCENTS = re.compile(
    "[\u0300-\u036f\u0483-\u0487\u0591-\u05c7\u0610-\u061a\u064b-\u065f\u0670\u1ab0-\u1aff\u20d0-\u20f0]"
)
"""Marks that words are also written without. Signs that are letters to their script (of Thai, Hindi, kana) stay."""
_TRADE_MARKS = str.maketrans("\u2122\u2120", "  ")  # NFKC would make the word Nike(tm) "niketm"
_SIGNS = "\u0900-\u0963\u0966-\u0df3\u102b-\u103e\u1056-\u1059\u17b4-\u17d3"
"""Vowel signs of scripts with spaces, which Python does not count as letters."""
_UNSPACED = (
    "\u0e01-\u0e5b\u1100-\u11ff\u3005-\u3007\u3041-\u3096\u3099\u309a\u309d\u309e\u30a1-\u30fa\u30fc-\u30fe\u3130-\u318e"
    "\u31f0-\u31ff\u3400-\u4dbf\u4e00-\u9fff\uac00-\ud7a3\uf900-\ufaff\U00020000-\U0003ffff"
)
"""Thai, Hangul, kana and Han."""
_ASCII_WORD = re.compile("[a-z0-9]+")
_RUN = re.compile(f"([{_UNSPACED}]+)|(?:(?![{_UNSPACED}])[^\\W_]|[{_SIGNS}])+")


class Token(NamedTuple):
    """A word and whether it reaches to the very end of its text (and so may be unfinished)."""

    word: str
    at_end: bool


def fold(text: str) -> str:
    """The text as it is compared: NFKC, case folded, without accents."""
    if text.isascii():
        return text.lower()
    folded = unicodedata.normalize("NFKC", text.translate(_TRADE_MARKS)).casefold()
    return unicodedata.normalize("NFKC", _ACCENTS.sub("", unicodedata.normalize("NFKD", folded)))


def words_of(text: str, limit: int = MAX_WORDS) -> list[str]:
    """The first `limit` words of a text, folded, in their order."""
    folded = fold(text[:_MAX_TEXT])
    if folded.isascii():
        words = _ASCII_WORD.findall(folded)[:limit]
        if len(folded) > MAX_WORD_LENGTH:
            words = [word[:MAX_WORD_LENGTH] for word in words]
        return words
    return [token.word for token, _ in zip(_cut(folded), range(limit), strict=False)]


def tokens_of(text: str) -> list[Token]:
    """The words of a text and which of them it ends with; for queries, whose length is bounded."""
    return list(_cut(fold(text)))


def _cut(folded: str) -> Iterator[Token]:
    for found in _RUN.finditer(folded):
        run, at_end = found[0], found.end() == len(folded)
        if found[1] is None:
            yield Token(run[:MAX_WORD_LENGTH], at_end)
        elif len(run) == 1:
            yield Token(run, at_end)
        else:
            last = len(run) - 2
            for place in range(last + 1):
                yield Token(run[place : place + 2], at_end and place == last)
