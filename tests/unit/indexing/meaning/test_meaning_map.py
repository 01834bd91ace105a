"""A map of meaning: what it says, and its bytes."""

from __future__ import annotations

import msgspec
import numpy as np
import pytest

from indexing.learned.half import half
from indexing.meaning.map import MeaningMap, decode_map, encode_map, unit
from indexing.meaning.measures import Held
from indexing.meaning.part import read, written
from indexing.meaning.training import Learned
from schemas.errors import CorruptError
from schemas.full_index.learned import LearnedPart


def a_map() -> MeaningMap:
    random = np.random.default_rng(1)
    support, looks = random.normal(size=(5, 8)).astype(np.float32), random.normal(size=(5, 12)).astype(np.float32)
    return MeaningMap("text-1", "picture-1", 8.0, half(unit(support)), half(looks))


def test_looks_have_unit_length_and_no_text_has_no_look() -> None:
    meaning = a_map()
    texts = np.concatenate([meaning.support, np.zeros((1, 8), np.float32)])
    looks = meaning.apply(texts)
    assert looks.shape == (6, 12) and looks.dtype == np.float32
    np.testing.assert_allclose(np.linalg.norm(looks[:5], axis=1), 1.0, atol=1e-5)
    assert not looks[5].any()
    assert meaning.apply(texts[:0]).shape == (0, 12)


def test_bytes_give_the_same_map_and_the_same_map_the_same_bytes() -> None:
    meaning = a_map()
    data = encode_map(meaning)
    found = decode_map(data)
    assert (found.text_encoder_id, found.extractor_id, found.sharpness) == ("text-1", "picture-1", 8.0)
    np.testing.assert_array_equal(found.support, meaning.support)
    np.testing.assert_array_equal(found.looks, meaning.looks)
    np.testing.assert_array_equal(found.apply(meaning.support), meaning.apply(meaning.support))
    assert encode_map(found) == data


@pytest.mark.parametrize("position", [0, 20, 100, -1])
def test_altered_byte_is_noticed(position: int) -> None:
    data = bytearray(encode_map(a_map()))
    data[position] ^= 1
    with pytest.raises(CorruptError, match="vitrine build"):
        decode_map(bytes(data))


@pytest.mark.parametrize("length", [0, 10, 60])
def test_cut_off_bytes_are_noticed(length: int) -> None:
    with pytest.raises(CorruptError):
        decode_map(encode_map(a_map())[:length])


def test_generation_says_what_the_map_is_and_refuses_another() -> None:
    held = Held(0.5, 0.01, 10.0, 0.1, 80, 100)
    learned = Learned(a_map(), False, "titles say too little", held, held, {"ridge": 0.1})
    data, part = written(learned)
    assert part.kind == "meaning" and not part.used and part.held["recall_at_10"] == 0.5
    assert msgspec.json.decode(msgspec.json.encode(part), type=LearnedPart) == part
    assert encode_map(read(data, part)) == data
    with pytest.raises(CorruptError, match="names"):
        read(data + b"x", part)
    with pytest.raises(CorruptError, match="other encoders"):
        read(data, msgspec.structs.replace(part, inputs={"text_encoder_id": "text-2", "extractor_id": "picture-1"}))
