"""Pieces: as the published tokenizer makes them (figures below are its)."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from vision.text.wordpiece import BEGIN, END, UNKNOWN, pieces


@pytest.mark.parametrize(
    ("text", "numbers"),
    [
        ("red dress", [2417, 4377]),
        ("  Red\tDRESS\n", [2417, 4377]),
        ("t-shirt", [1056, 1011, 3797]),
        ("sweatpants", [7518, 27578]),
        ("naïve café", [15743, 7668]),
        ("$5, don't!", [1002, 1019, 1010, 2123, 1005, 1056, 999]),
        ("東京", [1879, 1755]),
        ("", []),
        (" \u200b\x00", []),
        ("a" * 101, [UNKNOWN]),
    ],
)
def test_text_is_split_as_the_model_was_trained(text: str, numbers: list[int]) -> None:
    assert pieces(text, 100) == numbers


def test_no_text_spells_a_special_piece() -> None:
    found = pieces("[CLS] red [SEP]", 100)
    assert BEGIN not in found and END not in found


def test_no_more_than_asked_for() -> None:
    assert pieces("red " * 100, 7) == [2417] * 7


@given(st.text(max_size=200))
def test_any_text_has_pieces_within_the_vocabulary(text: str) -> None:
    assert all(0 <= number < 30522 for number in pieces(text, 50))
    assert len(pieces(text, 50)) <= 50
