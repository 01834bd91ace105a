"""Words behind the numbers of a base feature: what may stand there, and that it changes nothing else."""

from __future__ import annotations

import numpy as np

from schemas.features.colours.told import colour_codes
from schemas.features.said import MAX_WORDS_BYTES, said_behind, with_said
from schemas.features.stored import cannot_be, feature_bytes, feature_length, feature_rows, is_of_length
from tests.support.pictures.looks import FEATURES, base_rows

LENGTH = feature_length(FEATURES, 0)
BARE = feature_bytes(base_rows(3, seed=2), FEATURES)


def test_words_stand_behind_the_numbers_and_leave_them_as_they_are() -> None:
    features = [with_said(BARE[0], ["Sun  rise", " Café\n"]), BARE[1], with_said(BARE[2], [])]
    assert [said_behind(feature, LENGTH).decode() for feature in features] == ["Sun rise Café", "", ""]
    assert features[1:] == BARE[1:], "a feature without words is as it was"
    np.testing.assert_array_equal(feature_rows(features, FEATURES), feature_rows(BARE, FEATURES))
    assert colour_codes(features, FEATURES) == colour_codes(BARE, FEATURES)
    assert cannot_be(features, FEATURES) == [False] * 3
    assert all(is_of_length(feature, LENGTH, FEATURES) for feature in features)


def test_words_are_cut_at_a_letter_and_nothing_else_may_stand_there() -> None:
    long = with_said(BARE[0], ["é" * MAX_WORDS_BYTES])
    assert len(long) == LENGTH + MAX_WORDS_BYTES and said_behind(long, LENGTH).decode() == "é" * (MAX_WORDS_BYTES // 2)
    for bad in (BARE[0] + b"\xff", BARE[0] + b"a" * (MAX_WORDS_BYTES + 1), BARE[0][:-1]):
        assert cannot_be([bad, BARE[1]], FEATURES) == [True, False]
        assert not is_of_length(bad, LENGTH, FEATURES)


def test_vectors_have_no_said_behind_them() -> None:
    vector = np.array([1.0, 0.0], "<f4").tobytes()
    assert not is_of_length(vector + b"abcd", len(vector), "external:clip:2")
    assert is_of_length(vector, len(vector), "external:clip:2")
