"""Words that were read in a picture: UTF-8 behind the numbers of its base features (docs/adr/0061).

They go wherever the feature goes, store, stream and index, and are read once. A feature without any is as it always
was. No other feature has words: its numbers have no end of their own.
"""

from __future__ import annotations

from collections.abc import Sequence

MAX_WORDS_BYTES = 1000
"""Of one picture. What is longer is a page of text, and is cut."""


def with_words(feature: bytes, words: Sequence[str]) -> bytes:
    """The base feature with these words, those that fit; each without white space at its ends."""
    text = " ".join(" ".join(words).split())
    return feature + text.encode(errors="ignore")[:MAX_WORDS_BYTES].decode(errors="ignore").encode()


def words_behind(feature: bytes, length: int) -> bytes:
    """What is behind the first `length` bytes, the numbers: UTF-8, b"" for none."""
    return feature[length:]


def are_words(text: bytes) -> bool:
    """Whether `with_words` may have put this behind a feature."""
    if len(text) > MAX_WORDS_BYTES:
        return False
    try:
        text.decode()
    except UnicodeDecodeError:
        return False
    return True
