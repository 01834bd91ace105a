"""A tuning: what it makes of base features, and its bytes."""

from __future__ import annotations

from hashlib import blake2b

import msgspec
import numpy as np
import pytest

from indexing.look.stored import decode_tuning, encode_tuning
from indexing.look.training import train_tuning
from indexing.look.tuning import Tuning, half
from schemas.errors import CorruptError
from tests.support.looks import BLOCKS, views_of


@pytest.fixture(scope="module")
def tuning() -> Tuning:
    return train_tuning(*views_of(60, 4, seed=1), "e-1", BLOCKS)


def test_vectors_have_unit_length_and_blocks_their_weights(tuning: Tuning) -> None:
    rows = tuning.items(views_of(20, 1, seed=2)[0])
    assert rows.dtype == np.float32 and rows.shape == (20, tuning.dimension)
    np.testing.assert_allclose(np.linalg.norm(rows, axis=1), 1.0, atol=1e-5)
    head = tuning.parts[0].directions.shape[1]
    np.testing.assert_allclose((rows[:, :head] ** 2).sum(axis=1), 1.0 / 3.3, atol=1e-5)


def test_without_queries_learned_a_photo_is_taken_as_a_picture(tuning: Tuning) -> None:
    rows = views_of(5, 1, seed=2)[0]
    np.testing.assert_array_equal(tuning.items(rows), tuning.queries(rows))
    assert tuning.items(rows[:0]).shape == (0, tuning.dimension)


def test_row_does_not_depend_on_the_others(tuning: Tuning) -> None:
    rows = views_of(5, 1, seed=2)[0]
    np.testing.assert_allclose(tuning.items(rows)[3:4], tuning.items(rows[3:4]), atol=1e-6)


def test_the_mean_picture_has_no_direction_and_does_not_fail(tuning: Tuning) -> None:
    mean = np.concatenate([part.items for part in tuning.parts])[None]
    assert not tuning.items(mean).any()


def test_look_scales_blocks_and_leaves_some_out(tuning: Tuning) -> None:
    rows = views_of(5, 1, seed=2)[0]
    head = tuning.parts[0].directions.shape[1]
    without = tuning.queries(rows, {"head": 0.0})
    assert not without[:, :head].any()
    np.testing.assert_allclose(np.linalg.norm(without, axis=1), 1.0, atol=1e-5)
    plain, doubled = tuning.queries(rows), tuning.queries(rows, {"head": 2.0})
    ratio = doubled / plain
    np.testing.assert_allclose(ratio[:, :head] / ratio[:, -1:], 2.0, rtol=1e-3)


def test_unknown_block_and_other_rows_are_named(tuning: Tuning) -> None:
    rows = views_of(5, 1, seed=2)[0]
    with pytest.raises(ValueError, match="'smell'"):
        tuning.queries(rows, {"smell": 1.0})
    with pytest.raises(ValueError, match="no base features of e-1"):
        tuning.items(rows[:, :-1])


def test_bytes_give_the_same_tuning_and_the_same_tuning_the_same_bytes(tuning: Tuning) -> None:
    other = tuning.with_queries([half(part.items + 0.1) for part in tuning.parts])
    data = encode_tuning(other)
    found = decode_tuning(data)
    rows = views_of(5, 1, seed=2)[0]
    np.testing.assert_array_equal(found.items(rows), other.items(rows))
    np.testing.assert_array_equal(found.queries(rows), other.queries(rows))
    assert found.extractor_id == "e-1" and encode_tuning(found) == data


@pytest.mark.parametrize("position", [0, 20, 100, -1])
def test_altered_byte_is_noticed(tuning: Tuning, position: int) -> None:
    data = bytearray(encode_tuning(tuning))
    data[position] ^= 1
    with pytest.raises(CorruptError, match="vitrine build"):
        decode_tuning(bytes(data))


def test_lengths_that_do_not_fit_are_noticed(tuning: Tuning) -> None:
    magic = b"vitrine look 1\n"
    stored = msgspec.msgpack.decode(encode_tuning(tuning)[len(magic) : -16])
    stored[1][0][1] += 1
    body = magic + msgspec.msgpack.encode(stored)
    with pytest.raises(CorruptError, match="does not decode"):
        decode_tuning(body + blake2b(body, digest_size=16).digest())
