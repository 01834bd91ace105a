"""What a shopper typed, taken apart: words, phrases, and whether the last word is still being typed."""

from __future__ import annotations

import re
from dataclasses import dataclass

from indexing.words.stems import stemmer
from indexing.words.tokens import tokens_of, words_of
from schemas.errors import RejectedError

MAX_QUERY_WORDS = 32
MAX_QUERY_LENGTH = 2000
"""Characters."""

_QUOTES = str.maketrans("\u201c\u201d\u201e\u201f\uff02", '"""""')
_PHRASE = re.compile(r'(?<!\w)"([^"]*)"(?!\w)')
"""A quote behind a letter or digit opens nothing: 27" is a size."""


@dataclass(frozen=True, slots=True)
class QueryWord:
    """A word, folded, and its stem where the language has stems. `is_prefix`: it may be the beginning of one."""

    word: str
    stem: str | None = None
    is_prefix: bool = False


@dataclass(frozen=True, slots=True)
class WordQuery:
    """Words, each once, in the order of the text; and phrases, whose words must stand side by side, as written."""

    words: tuple[QueryWord, ...] = ()
    phrases: tuple[tuple[str, ...], ...] = ()

    @property
    def is_empty(self) -> bool:
        """Nothing is asked for: there were only spaces and punctuation."""
        return not self.words and not self.phrases


def parse_words(text: str, language: str) -> WordQuery:
    """Takes a query apart. Pure; any thread.

    The last word is a prefix where the text ends with it. A quote without its
    partner separates words and means nothing else.

    Raises `RejectedError` ("invalid_query") for more than `MAX_QUERY_WORDS`
    words or `MAX_QUERY_LENGTH` characters, `OperatorError` for an unknown language.
    """
    if len(text) > MAX_QUERY_LENGTH:
        raise RejectedError("invalid_query", f"{len(text)} characters; a query has at most {MAX_QUERY_LENGTH}")
    text = text.translate(_QUOTES)
    phrases = tuple(dict.fromkeys(tuple(words) for phrase in _PHRASE.findall(text) if (words := words_of(phrase))))
    # A space in the place of each phrase: the words around it stay apart, and one before it is no prefix.
    tokens = tokens_of(_PHRASE.sub(" ", text))
    count = len(tokens) + sum(map(len, phrases))
    if count > MAX_QUERY_WORDS:
        raise RejectedError("invalid_query", f"{count} words; a query has at most {MAX_QUERY_WORDS}")
    stem = stemmer(language)
    is_prefix: dict[str, bool] = {}
    for token in tokens:
        is_prefix[token.word] = token.at_end or is_prefix.get(token.word, False)
    asked = (QueryWord(word, stem(word) if stem else None, prefix) for word, prefix in is_prefix.items())
    return WordQuery(tuple(asked), phrases)
