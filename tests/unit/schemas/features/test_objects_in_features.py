"""Objects behind the numbers of a base feature, beside words: what may stand there, and which code columns get."""

from __future__ import annotations

from schemas.features.colours.told import CODE_BITS, colour_codes
from schemas.features.objects import LEAST_SCORES, colours_in, objects_in, shown_code, told_objects
from schemas.features.said import (
    MAX_SAID_BYTES,
    MAX_WORDS_BYTES,
    may_be_said,
    objects_said,
    said_behind,
    with_said,
    words_said,
)
from schemas.features.stored import cannot_be, feature_bytes, feature_length, is_of_length
from tests.support.pictures.looks import FEATURES, base_rows

LENGTH = feature_length(FEATURES, 0)
BARE = feature_bytes(base_rows(1, seed=3), FEATURES)[0]


def test_words_and_objects_are_told_apart() -> None:
    for words, objects in ((["Sun\x1drise", "\x1fCafé"], ["person", "cell phone"]), ([], ["person"]), (["tea"], [])):
        feature = with_said(BARE, words, objects)
        said = said_behind(feature, LENGTH)
        assert words_said(said) == " ".join(" ".join(words).split())
        assert objects_said(said) == tuple(objects)
        assert is_of_length(feature, LENGTH, FEATURES) and cannot_be([feature], FEATURES) == [False]
    assert with_said(BARE, [], []) == BARE, "a feature of which nothing is told is as it was"


def test_objects_have_room_behind_the_longest_words_and_no_more_than_that() -> None:
    said = said_behind(with_said(BARE, ["w" * 2 * MAX_WORDS_BYTES], [*LEAST_SCORES]), LENGTH)
    assert may_be_said(said) and objects_said(said) == tuple(LEAST_SCORES)
    assert not may_be_said(b"w" * (MAX_WORDS_BYTES + 1) + b"\x1dperson"), "more words than are kept"
    assert not may_be_said(b"\x1d" + b"o" * MAX_SAID_BYTES)
    assert not may_be_said(b"\x1d\xff")


def test_code_holds_colours_and_objects_and_passes_over_names_of_later_versions() -> None:
    colours = max(colour_codes([BARE], FEATURES)[0], 1 << CODE_BITS - 1)
    shown = shown_code(colours, ("person", "of a later version"))
    assert colours_in(shown) == colours and objects_in(shown) == ("person",)
    assert objects_in(shown_code(colours)) == () and shown_code(0, ()) == 0
    assert CODE_BITS + len(LEAST_SCORES) < 63, "codes are int64 where columns are loaded"


def test_only_what_is_trusted_is_told_each_once_in_one_order() -> None:
    found = [("suitcase", 0.99), ("person", LEAST_SCORES["person"]), ("person", 0.76), ("dog", 0.01)]
    assert told_objects(found) == ["person"]
    assert told_objects([("person", LEAST_SCORES["person"] - 0.01)]) == []
