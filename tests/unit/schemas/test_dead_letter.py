"""A dead letter keeps the record whole as far as it may, and can always be written."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from schemas.events.dead_letter import (
    MAX_KEPT_BYTES,
    DeadLetter,
    decode_dead_letter,
    encode_dead_letter,
    make_dead_letter,
)


def _letter(detail: str = "d", key: bytes | None = b"k", value: bytes | None = b"v") -> DeadLetter:
    return make_dead_letter(
        reason="r", detail=detail, stage="s", transient=True, topic="t", partition=1, offset=2, at_ms=3,
        key=key, value=value,
    )  # fmt: skip


@settings(deadline=None)
@given(st.none() | st.binary(max_size=4096), st.none() | st.binary(max_size=300))
def test_any_record_comes_back_as_it_was(key: bytes | None, value: bytes | None) -> None:
    letter = decode_dead_letter(encode_dead_letter(_letter(key=key, value=value)))
    assert (letter.key_bytes(), letter.value_bytes(), letter.truncated) == (key, value, False)


@pytest.mark.parametrize(("size", "truncated"), [(MAX_KEPT_BYTES, False), (MAX_KEPT_BYTES + 1, True)])
def test_a_long_value_is_cut_and_says_so(size: int, truncated: bool) -> None:
    letter = _letter(value=b"x" * size)
    kept = letter.value_bytes()
    assert letter.truncated is truncated
    assert kept is not None
    assert len(kept) == MAX_KEPT_BYTES


def test_text_that_json_cannot_hold_is_escaped_in_the_detail() -> None:
    letter = decode_dead_letter(encode_dead_letter(_letter(detail="file \udcff " + "x" * 5000)))
    assert letter.detail.startswith("file \\udcff x")
