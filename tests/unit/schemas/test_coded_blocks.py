"""Base features in one byte a number."""

from __future__ import annotations

import numpy as np
import pytest

from schemas.errors import CorruptError
from schemas.features.blocks import spans
from schemas.features.coded import coded_length, decode_base, encode_base
from tests.support.pictures.looks import BLOCKS, views_of

ROWS = views_of(20, 2, seed=1)[0]


def test_numbers_come_back_to_a_254th_of_their_blocks_greatest() -> None:
    coded = encode_base(ROWS, BLOCKS)
    assert {len(row) for row in coded} == {coded_length(BLOCKS)} == {60 + 4 * 4}
    found = decode_base(coded, BLOCKS)
    assert found.dtype == np.float32 and found.shape == ROWS.shape
    for span in spans(BLOCKS):
        off = np.abs(found[:, span] - ROWS[:, span]).max(axis=1)
        assert (off <= np.abs(ROWS[:, span]).max(axis=1) / 254 + 1e-7).all()


def test_row_has_the_same_bytes_whatever_is_beside_it() -> None:
    assert encode_base(ROWS[7:8], BLOCKS) == encode_base(ROWS, BLOCKS)[7:8]
    assert encode_base(ROWS[:0], BLOCKS) == []
    assert decode_base([], BLOCKS).shape == (0, ROWS.shape[1])


def test_bytes_are_as_they_are_documented() -> None:
    row = np.zeros((1, ROWS.shape[1]), np.float32)
    row[0, 0], row[0, 1] = -0.5, 0.25
    data = encode_base(row, BLOCKS)[0]
    assert data[:4] == np.float32(0.5).tobytes()
    assert list(np.frombuffer(data[4:7], np.int8)) == [-127, 64, 0]
    assert not any(data[7:])
    np.testing.assert_array_equal(decode_base([data], BLOCKS)[0, 2:], 0.0)


@pytest.mark.parametrize("number", [np.nan, np.inf])
def test_rows_that_are_no_base_features_are_refused(number: float) -> None:
    broken = ROWS.copy()
    broken[3, 5] = number
    with pytest.raises(ValueError, match="finite"):
        encode_base(broken, BLOCKS)
    with pytest.raises(ValueError, match="no finite base features"):
        encode_base(ROWS[:, 1:], BLOCKS)


@pytest.mark.parametrize("greatest", [np.nan, -1.0, np.inf])
def test_bytes_that_cannot_be_are_corrupt(greatest: float) -> None:
    data = encode_base(ROWS[:1], BLOCKS)[0]
    with pytest.raises(CorruptError, match="image-features"):
        decode_base([data[:-1]], BLOCKS)
    with pytest.raises(CorruptError, match="kind"):
        decode_base([np.float32(greatest).tobytes() + data[4:]], BLOCKS)
