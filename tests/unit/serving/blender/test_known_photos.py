"""Photos that come again."""

from __future__ import annotations

import numpy as np

from serving.blender.embedding.known import KnownPhotos


def vector(number: int) -> np.ndarray:
    return np.full(4, number, np.float32)


def test_photo_is_known_by_its_bytes_and_the_extractor() -> None:
    known = KnownPhotos(4)
    key = known.key(b"photo", "a")
    assert known.get(key) is None
    known.put(key, vector(1))
    assert known.get(known.key(b"photo", "a")) is not None
    assert known.get(known.key(b"photo", "b")) is None
    assert known.get(known.key(b"phot", "a")) is None


def test_longest_unused_photo_makes_room() -> None:
    known = KnownPhotos(2)
    keys = [known.key(bytes([number]), "a") for number in range(3)]
    known.put(keys[0], vector(0))
    known.put(keys[1], vector(1))
    assert known.get(keys[0]) is not None
    known.put(keys[2], vector(2))
    assert len(known) == 2
    assert known.get(keys[1]) is None
    assert known.get(keys[0]) is not None


def test_nothing_is_kept_where_none_are_wanted() -> None:
    known = KnownPhotos(0)
    key = known.key(b"photo", "a")
    known.put(key, vector(1))
    assert key is None
    assert len(known) == 0
