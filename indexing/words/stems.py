"""Stems of words, by Snowball's rules for a language.

PyStemmer, Snowball's own binding: 0.4 to 0.8 us a word, where the pure Python
`snowballstemmer` of the same authors takes 40 to 70 us, which would be half a
millisecond of a query and a second of a restart. Both are released together.

A stemmer keeps state while it works, so every thread has its own; and keeps
no words (its cache is off), because what was erased must not lie in a cache.
"""

from __future__ import annotations

import threading
from collections.abc import Callable

import Stemmer  # type: ignore[import-not-found, import-untyped, unused-ignore]

from schemas.errors import OperatorError


class _OfThread(threading.local):
    def __init__(self) -> None:
        self.stemmers: dict[str, Callable[[str], str]] = {}


_of_thread = _OfThread()


def stemmer(language: str) -> Callable[[str], str] | None:
    """Word to stem, for this thread alone; None for language "", which knows no stems.

    Raises `OperatorError` for a language that Snowball does not have.
    """
    if not language:
        return None
    found = _of_thread.stemmers.get(language)
    if found is None:
        try:
            found = Stemmer.Stemmer(language, 0).stemWord
        except KeyError:
            raise OperatorError(
                f"language {language!r} has no stemmer; set one of {', '.join(Stemmer.algorithms())}, or none"
            ) from None
        _of_thread.stemmers[language] = found
    return found
