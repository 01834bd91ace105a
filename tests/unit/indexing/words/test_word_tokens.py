"""From a text to its words."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from indexing.words.tokens import MAX_WORD_LENGTH, MAX_WORDS, fold, tokens_of, words_of


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("Red Sneakers, size 42.5", ["red", "sneakers", "size", "42", "5"]),
        ("T-Shirt_blue", ["t", "shirt", "blue"]),
        ("L\u2019Oréal crème brûlée Größe", ["l", "oreal", "creme", "brulee", "grosse"]),
        ("\uff32\uff45\uff44 \ufb01t", ["red", "fit"]),
        ("Nike™ Lego®", ["nike", "lego"]),
        ("東京都", ["東京", "京都"]),
        ("靴", ["靴"]),
        ("iPhone用ケース", ["iphone", "用ケ", "ケー", "ース"]),
        ("가방 신발", ["가방", "신발"]),
        ("が", ["が"]),
        ("เสื้อ", ["เส", "สื", "ื้", "้อ"]),
        ("हिन्दी जूते", ["हिन्दी", "जूते"]),
        ("ёлка ЙОД", ["елка", "иод"]),
        ("🙂 — ...", []),
    ],
)
def test_words_of_many_scripts(text: str, words: list[str]) -> None:
    assert words_of(text) == words


@given(st.text(alphabet="abz09 -_", max_size=200))
def test_the_short_way_for_ascii_finds_what_the_long_way_finds(text: str) -> None:
    assert words_of(text) == [token.word for token in tokens_of(text)]


@given(st.text(max_size=60))
def test_a_text_in_capitals_has_the_words_of_the_text(text: str) -> None:
    if text.upper().lower() == text.lower() and text.isascii():
        assert words_of(text.upper()) == words_of(text)
    assert all(word and len(word) <= 2 * MAX_WORD_LENGTH for word in words_of(text))


def test_what_is_read_of_a_text_is_bounded() -> None:
    assert len(words_of("word " * 5000)) == MAX_WORDS
    assert len(words_of("wörd " * 5000)) == MAX_WORDS
    assert len(words_of("京" * 5000)) == MAX_WORDS
    assert words_of("x" * 500) == ["x" * MAX_WORD_LENGTH]
    assert words_of("ö" * 500) == ["o" * MAX_WORD_LENGTH]
    assert words_of("a b c d", 2) == words_of("ä b c d", 2) == ["a", "b"]


def test_the_last_word_is_at_the_end_unless_something_follows_it() -> None:
    assert [token.at_end for token in tokens_of("red sho")] == [False, True]
    assert [token.at_end for token in tokens_of("red sho ")] == [False, False]
    assert [token.at_end for token in tokens_of("東京都")] == [False, True]


def test_folding_composes_what_it_took_apart() -> None:
    assert fold("한국어 ガ") == "한국어 ガ"
