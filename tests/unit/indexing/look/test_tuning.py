"""A tuning: what it makes of base features, and its bytes."""

from __future__ import annotations

from dataclasses import replace
from hashlib import blake2b

import msgspec
import numpy as np
import pytest

from indexing.category.training import train_head
from indexing.learned.half import half
from indexing.look.stored import decode_tuning, encode_tuning
from indexing.look.training import train_tuning
from indexing.look.tuning import Tuning
from schemas.errors import CorruptError
from tests.support.pictures.looks import BLOCKS, views_of


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
    kind = tuning.blocks[0].length
    plain = tuning.queries(rows)
    without = tuning.weighed(plain, {"kind": 0.0})
    assert not without[:, :kind].any()
    np.testing.assert_allclose(np.linalg.norm(without, axis=1), 1.0, atol=1e-5)
    ratio = tuning.weighed(plain, {"kind": 2.0}) / plain
    np.testing.assert_allclose(ratio[:, :kind] / ratio[:, -1:], 2.0, rtol=1e-3)
    np.testing.assert_allclose(tuning.weighed(plain, {}), plain, atol=1e-6)
    with pytest.raises(ValueError, match="nothing is left"):
        tuning.weighed(plain, dict.fromkeys(("kind", "shape", "texture", "colour"), 0.0))


def test_unknown_block_and_other_rows_are_named(tuning: Tuning) -> None:
    rows = views_of(5, 1, seed=2)[0]
    with pytest.raises(ValueError, match="'smell'"):
        tuning.weighed(tuning.queries(rows), {"smell": 1.0})
    with pytest.raises(ValueError, match="no base features of e-1"):
        tuning.items(rows[:, :-1])


def test_shares_of_blocks_add_up_to_the_likeness(tuning: Tuning) -> None:
    query, item = tuning.queries(views_of(5, 1, seed=2)[0])[:2]
    shares = tuning.shares(query, item)
    assert list(shares) == ["kind", "shape", "texture", "colour"]
    assert sum(shares.values()) == pytest.approx(float(query @ item), abs=1e-5)


def test_categories_are_a_part_of_the_look(tuning: Tuning) -> None:
    rows, things = views_of(60, 4, seed=3)
    names = [("bag", "hat", "shoe")[thing % 3] for thing in things.tolist()]
    head = replace(train_head(rows, names, things, tuning.extractor_id, BLOCKS, 1).head, accuracy=1.0)
    told = tuning.with_head(head)
    assert told.dimension == tuning.dimension + 3 and told.blocks[-1].name == "category"
    vectors = told.items(rows)
    np.testing.assert_allclose(np.linalg.norm(vectors, axis=1), 1.0, atol=1e-5)
    likely = told.told(vectors[0])
    assert likely[0][0] == names[0] and sum(p for _, p in likely) == pytest.approx(1.0)
    np.testing.assert_allclose([p for _, p in likely], sorted(head.probabilities(rows[:1])[0])[::-1], atol=1e-3)
    assert tuning.told(tuning.items(rows[:1])[0]) == []
    plain = told.weighed(vectors, {"category": 0.0})[:, : tuning.dimension]
    np.testing.assert_allclose(plain, tuning.items(rows), atol=1e-5)
    again = decode_tuning(encode_tuning(told))
    assert encode_tuning(again) == encode_tuning(told) and again.head is not None and again.head.names == head.names


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
