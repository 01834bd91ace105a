"""Text to the numbers of word pieces, as BERT's uncased models were trained with (Devlin et al. 2018).

Written here because the package that does it (tokenizers) brings a client of a
model hub along. `vocabulary.txt` is that of bert-base-uncased (Apache-2.0);
results are those of tokenizers, except that no text can spell a special piece.
"""

from __future__ import annotations

import unicodedata
from collections.abc import Iterator
from functools import cache
from hashlib import sha256
from pathlib import Path

from schemas.errors import CorruptError

VOCABULARY = Path(__file__).with_name("vocabulary.txt")
_VOCABULARY_SHA256 = "07eced375cec144d27c900241f3e339478dec958f92fddbc551f295c992038a3"

UNKNOWN, BEGIN, END = 100, 101, 102
_LONGEST_WORD = 100
"""Characters; a longer one is unknown as a whole."""
_CJK = (
    (0x4E00, 0x9FFF), (0x3400, 0x4DBF), (0x20000, 0x2A6DF), (0x2A700, 0x2B73F), (0x2B740, 0x2B81F),
    (0x2B820, 0x2CEAF), (0xF900, 0xFAFF), (0x2F800, 0x2FA1F),
)  # fmt: skip
"""Code points of characters that are words of their own."""


def pieces(text: str, limit: int) -> list[int]:
    """Numbers of the text's pieces without `BEGIN` and `END`, the first `limit` of them. Pure; any thread."""
    vocabulary = _vocabulary()
    found: list[int] = []
    for word in _words(text):
        found += _split(word, vocabulary)
        if len(found) >= limit:
            break
    return found[:limit]


@cache
def _vocabulary() -> dict[str, int]:
    data = VOCABULARY.read_bytes()
    if sha256(data).hexdigest() != _VOCABULARY_SHA256:
        raise CorruptError(f"{VOCABULARY} is not what was published: install vitrine anew")
    return {piece: number for number, piece in enumerate(data.decode().splitlines())}


def _words(text: str) -> Iterator[str]:
    """Runs of letters and digits, each mark of punctuation and each CJK character, in lower case without accents."""
    spaced = "".join(f" {c} " if _is_cjk(c) else " " if c.isspace() else c for c in text if not _is_dropped(c))
    plain = "".join(c for c in unicodedata.normalize("NFD", spaced) if unicodedata.category(c) != "Mn").lower()
    for run in plain.split():
        word = ""
        for c in run:
            if _is_punctuation(c):
                if word:
                    yield word
                yield c
                word = ""
            else:
                word += c
        if word:
            yield word


def _is_dropped(c: str) -> bool:
    return c == "\ufffd" or (unicodedata.category(c) in {"Cc", "Cf", "Co"} and c not in "\t\n\r")


def _is_cjk(c: str) -> bool:
    return c >= "\u3400" and any(low <= ord(c) <= high for low, high in _CJK)


def _is_punctuation(c: str) -> bool:
    """ASCII's symbols count as well."""
    return (c.isascii() and not c.isalnum()) or unicodedata.category(c)[0] == "P"


def _split(word: str, vocabulary: dict[str, int]) -> list[int]:
    """The longest piece first, again and again; a word with a part that is no piece is unknown as a whole."""
    if len(word) > _LONGEST_WORD:
        return [UNKNOWN]
    found: list[int] = []
    start = 0
    while start < len(word):
        for end in range(len(word), start, -1):
            number = vocabulary.get(("##" if start else "") + word[start:end])
            if number is not None:
                found.append(number)
                start = end
                break
        else:
            return [UNKNOWN]
    return found
