"""A query taken apart."""

from __future__ import annotations

import pytest

from indexing.words.query import MAX_QUERY_LENGTH, MAX_QUERY_WORDS, QueryWord, WordQuery, parse_words
from schemas.errors import OperatorError, RejectedError


def test_the_last_word_is_a_prefix_until_something_follows_it() -> None:
    assert parse_words("Red sho", "").words == (QueryWord("red"), QueryWord("sho", None, True))
    assert parse_words("Red sho ", "").words == (QueryWord("red"), QueryWord("sho"))
    assert parse_words("sho red sho", "").words == (QueryWord("sho", None, True), QueryWord("red"))


def test_words_in_quotes_are_a_phrase_and_no_prefix() -> None:
    assert parse_words('"Red Shoe"', "") == WordQuery((), (("red", "shoe"),))
    assert parse_words('new “red shoe” "red shoe"', "english").phrases == (("red", "shoe"),)
    assert parse_words('new "red shoe"', "").words == (QueryWord("new"),)


@pytest.mark.parametrize("text", ['27" monitor stand', 'monitor "stand', '27" monitor 32" stand', '"" monitor'])
def test_a_quote_that_opens_nothing_only_separates(text: str) -> None:
    query = parse_words(text, "")
    assert query.phrases == ()
    assert "monitor" in [word.word for word in query.words]


def test_words_carry_the_stem_of_the_language() -> None:
    assert parse_words("running shoes ", "english").words == (QueryWord("running", "run"), QueryWord("shoes", "shoe"))
    assert parse_words("schuhe ", "german").words == (QueryWord("schuhe", "schuh"),)


def test_a_query_of_punctuation_is_empty() -> None:
    assert parse_words(' -- "..." ', "").is_empty
    assert not parse_words('"a"', "").is_empty


@pytest.mark.parametrize(
    "text",
    ["a" * (MAX_QUERY_LENGTH + 1), "w " * (MAX_QUERY_WORDS + 1), '"' + "w " * (MAX_QUERY_WORDS + 1) + '"', "京" * 40],
)
def test_a_query_too_long_is_rejected(text: str) -> None:
    with pytest.raises(RejectedError) as caught:
        parse_words(text, "")
    assert caught.value.reason == "invalid_query"


def test_a_query_as_long_as_allowed_is_taken() -> None:
    assert len(parse_words(" ".join(f"w{number}" for number in range(MAX_QUERY_WORDS)), "").words) == MAX_QUERY_WORDS


def test_an_unknown_language_is_the_operators_error() -> None:
    with pytest.raises(OperatorError, match="english"):
        parse_words("a", "klingon")
