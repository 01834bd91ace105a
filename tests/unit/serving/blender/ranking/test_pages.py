"""Cursors carry what was shown, and nothing but what this question's own says is believed."""

from __future__ import annotations

from base64 import urlsafe_b64encode

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from schemas.errors import RejectedError
from schemas.ids import product_hash
from serving.blender.ranking import pages

DIGEST = b"question"


def forged(*parts: object) -> str:
    return urlsafe_b64encode(msgspec.msgpack.encode(parts)).rstrip(b"=").decode()


@given(st.frozensets(st.binary(min_size=8, max_size=8), max_size=40), st.binary(min_size=8, max_size=8))
def test_a_cursor_says_what_was_shown(shown: frozenset[bytes], digest: bytes) -> None:
    assert pages.decode(pages.encode(shown, digest), digest).shown == shown


def test_a_cursor_says_how_many_had_no_place_of_their_own() -> None:
    shown = [product_hash(str(i)) for i in range(9)]
    assert pages.decode(pages.encode(shown, DIGEST, named=4), DIGEST).places == 5
    assert pages.decode(forged(1, DIGEST, b"".join(shown)), DIGEST).places == 9, "of a version that knew no doubles"


def test_no_cursor_is_the_first_page() -> None:
    assert pages.decode("", DIGEST) == pages.Seen()


def test_the_longest_cursor_comes_back_and_after_it_there_is_none() -> None:
    shown = [product_hash(str(i)) for i in range(pages.MAX_SHOWN)]
    longest = pages.encode(shown[:-1], DIGEST)
    assert len(longest) <= pages.MAX_CURSOR_CHARACTERS
    assert pages.decode(longest, DIGEST) == pages.Seen(frozenset(shown[:-1]))
    assert pages.encode(shown, DIGEST) == ""


def test_a_cursor_does_not_depend_on_the_order_shown() -> None:
    shown = [product_hash(str(i)) for i in range(20)]
    assert pages.encode(shown, DIGEST) == pages.encode(shown[::-1], DIGEST)


@pytest.mark.parametrize(
    ("cursor", "says"),
    [
        ("x" * (pages.MAX_CURSOR_CHARACTERS + 1), "characters"), ("é", "damaged"), ("a", "damaged"),
        ("a b=", "damaged"), ("****", "damaged"), (forged(1, DIGEST), "damaged"), (forged("1", DIGEST, b""), "damaged"),
        (forged(1, DIGEST, b"1234567"), "damaged"), (forged(1, b"short", b""), "damaged"),
        (forged(1, DIGEST, "text"), "damaged"), (forged(2, DIGEST, b""), "of version 2"),
        (forged(1, DIGEST, b"12345678", 2), "damaged"), (forged(1, DIGEST, b"", -1), "damaged"),
        (forged(1, b"another!", b""), "of another question"), (pages.encode([], b"another!"), "of another question"),
    ],
)  # fmt: skip
def test_any_other_cursor_is_refused_with_the_way_out(cursor: str, says: str) -> None:
    with pytest.raises(RejectedError, match=f"{says}.*first page again") as refused:
        pages.decode(cursor, DIGEST)
    assert refused.value.reason == "invalid_cursor"


def test_a_cursor_cut_anywhere_is_refused() -> None:
    whole = pages.encode([product_hash(str(i)) for i in range(3)], DIGEST)
    for length in range(1, len(whole)):
        with pytest.raises(RejectedError):
            pages.decode(whole[:length], DIGEST)


@given(st.text(max_size=40) | st.binary(max_size=60).map(lambda data: urlsafe_b64encode(data).decode()))
def test_any_text_is_a_cursor_or_rejected(text: str) -> None:
    try:
        pages.decode(text, DIGEST)
    except RejectedError as error:
        assert error.reason == "invalid_cursor"
