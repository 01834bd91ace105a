"""Trees as numpy walks them: what LightGBM says of the same rows, and bytes that are believed only whole."""

from __future__ import annotations

from hashlib import blake2b
from typing import Any

import lightgbm
import msgspec
import numpy as np
import pytest

from indexing.ranking.features import FEATURES, FIT, matrix, row
from indexing.ranking.growing import grow
from indexing.ranking.model import RankModel, decode_model, encode_model
from schemas.errors import CorruptError
from schemas.query.relevance import Rung


def a_model(answers: int = 300) -> RankModel:
    random = np.random.default_rng(1)
    rows = random.random((10 * answers, len(FEATURES))).astype(np.float32)
    rows[:, 4] = 0.0
    labels = np.zeros(len(rows), np.int8)
    wanted = (rows[:, 0] + 0.5 * rows[:, 5] * rows[:, 7]).reshape(answers, 10).argmax(axis=1)
    labels[np.arange(answers) * 10 + wanted] = 1
    sizes = np.full(answers, 10)
    least = np.array([0.2, 0.5, np.inf, np.inf, np.inf])
    return grow(rows, labels, np.ones(len(rows)), sizes, least, seed=1)


def test_walk_gives_what_lightgbm_gives(monkeypatch: pytest.MonkeyPatch) -> None:
    grown: list[Any] = []
    train = lightgbm.train

    def kept(*arguments: Any) -> Any:
        grown.append(train(*arguments))
        return grown[-1]

    monkeypatch.setattr(lightgbm, "train", kept)
    model = a_model()
    (booster,) = grown
    rows = np.random.default_rng(2).random((500, len(FEATURES))).astype(np.float32)
    # On the thresholds themselves as well, where a comparison may go either way.
    rows[: len(model.splits.thresholds[:100]), 0] = model.splits.thresholds[:100]
    assert model.raw(rows) == pytest.approx(booster.predict(rows), abs=1e-12)
    assert np.std(model.raw(rows)) > 0.1


def test_bytes_give_the_same_model() -> None:
    model = a_model()
    again = decode_model(encode_model(model))
    rows = np.random.default_rng(3).random((50, len(FEATURES))).astype(np.float32)
    assert (again.raw(rows) == model.raw(rows)).all()
    assert (again.within(rows) == model.within(rows)).all()
    assert encode_model(again) == encode_model(model)


@pytest.mark.parametrize("change", ["altered", "cut", "empty"])
def test_bytes_that_are_not_as_they_were_written_are_refused(change: str) -> None:
    data = bytearray(encode_model(a_model(20)))
    data[len(data) // 2] ^= 1
    with pytest.raises(CorruptError, match="vitrine build"):
        decode_model({"altered": bytes(data), "cut": bytes(data[:-1]), "empty": b""}[change])


@pytest.mark.parametrize("place", [1, 2, 3, 6, 7])
def test_arrays_that_no_model_has_are_refused(place: int) -> None:
    """Whole by its checksum, as another version might write it."""
    data = encode_model(a_model(20))
    fields = msgspec.msgpack.decode(data[5:-16])
    changed = {1: 0, 2: b"\xff" * len(fields[2]), 3: fields[3][:-2]}
    fields[place] = changed[place] if place in changed else fields[place][:-1]
    body = data[:5] + msgspec.msgpack.encode(fields)
    with pytest.raises(CorruptError, match="does not decode"):
        decode_model(body + blake2b(body, digest_size=16).digest())


def test_what_fits_less_than_anything_that_was_shown_is_outside() -> None:
    model = a_model(20)
    near, far, ranked = Rung(0.3, 90), Rung(0.1, 90), Rung(0.1, 3)
    rows = matrix([row(look, None, None, 1.0, 1.0, 1.0) for look in (near, far, ranked, None)])
    # Alike enough; not; not, but among the first; and nothing to be alike to.
    assert model.within(rows).tolist() == [True, False, True, True]


def test_numbers_of_a_row_are_from_0_to_1_and_0_where_there_is_none() -> None:
    nan = float("nan")
    rows = matrix([
        row(Rung(0.5, 1), Rung(5.0, 61), Rung(-0.2, 2), 50.0, 500.0, 0.7),
        row(None, None, None, nan, nan, nan),
        row(Rung(2.0, 1), Rung(1e9, 1), Rung(0.1, 1), 1e300, 1e300, 7.0),
    ])  # fmt: skip
    assert rows[0].tolist() == pytest.approx([0.5, 1.0, 0.5, 61 / 121, 0.0, 0.5, 0.5, 0.7])
    assert rows[1].tolist() == [0.0] * len(FEATURES)
    assert rows[2, len(FIT) :].tolist() == pytest.approx([1.0, 1.0, 1.0])
