"""What was read and seen in a picture: text behind the numbers of its base feature (docs/adr/0061, docs/adr/0065).

First the words, then, behind a sign that no word has, the names of objects. It goes wherever the feature goes, store,
stream and index, and is told once. A feature with nothing behind it is as it always was. No other feature has any:
its numbers have no end of their own.
"""

from __future__ import annotations

from collections.abc import Sequence

MAX_WORDS_BYTES = 1000
"""Of one picture. What is longer is a page of text, and is cut."""
MAX_SAID_BYTES = 1500
"""Of words and objects together."""
_OBJECTS, _NEXT = "\x1d", "\x1f"
"""ASCII's separators of groups and of units: white space to Python, so that no word has one."""


def with_said(feature: bytes, words: Sequence[str], objects: Sequence[str] = ()) -> bytes:
    """The base feature with these words, those that fit, each without white space at its ends, and these objects."""
    text = " ".join(" ".join(words).split())
    read = text.encode(errors="ignore")[:MAX_WORDS_BYTES].decode(errors="ignore").encode()
    seen = (_OBJECTS + _NEXT.join(objects)).encode() if objects else b""
    return feature + read + seen


def said_behind(feature: bytes, length: int) -> bytes:
    """What is behind the first `length` bytes, the numbers: UTF-8, b"" for nothing."""
    return feature[length:]


def may_be_said(text: bytes) -> bool:
    """Whether `with_said` may have put this behind a feature."""
    if len(text) > MAX_SAID_BYTES:
        return False
    try:
        return len(text.decode().partition(_OBJECTS)[0].encode()) <= MAX_WORDS_BYTES
    except UnicodeDecodeError:
        return False


def words_said(text: bytes) -> str:
    """The words in what is behind a feature."""
    return text.decode().partition(_OBJECTS)[0]


def objects_said(text: bytes) -> tuple[str, ...]:
    """The names of objects in what is behind a feature."""
    names = text.decode().partition(_OBJECTS)[2]
    return tuple(names.split(_NEXT)) if names else ()
