"""Recorded queries warm an index; what is wrong with them harms nothing."""

from __future__ import annotations

import logging
from pathlib import Path

import numpy as np
import pytest

from indexing.look.looks import Untuned
from schemas.features.recorded import recorded_file
from schemas.features.stored import feature_bytes
from serving.searcher.feeding import warming
from tests.support.pictures.looks import FEATURES, base_rows, small_look
from tests.support.serving.world import DIMENSION, batch, direction, listed, ready_searcher


def warmed(file: Path) -> int:
    index = ready_searcher(deltas=listed(batch(), "p", [direction(1)])).index
    assert index is not None
    look = Untuned(file.stem, DIMENSION)
    return warming.warm(index, lambda: warming.recorded(file.parent, file.parent / "photos", look), "shard=0")


def test_every_recorded_query_is_asked_up_to_a_number(tmp_path: Path) -> None:
    file = tmp_path / "queries.npy"
    np.save(file, np.stack([direction(n) for n in range(37)]))
    assert warmed(file) == 37
    np.save(file, np.stack([direction(n) for n in range(warming.WARM_QUERIES + 1)]))
    assert warmed(file) == warming.WARM_QUERIES


def test_no_recorded_queries_is_nothing_to_say(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    assert warmed(tmp_path / "absent.npy") == 0
    assert caplog.text == ""


@pytest.mark.parametrize("what", ["truncated", "text", "empty", "dimension", "objects"])
def test_unusable_file_is_a_line_in_the_log(tmp_path: Path, what: str, caplog: pytest.LogCaptureFixture) -> None:
    file = tmp_path / "queries.npy"
    np.save(file, np.stack([direction(n) for n in range(4)]))
    if what == "truncated":
        file.write_bytes(file.read_bytes()[:-7])
    elif what == "text":
        file.write_text("no array")
    elif what == "empty":
        file.write_bytes(b"")
    elif what == "dimension":
        np.save(file, np.zeros((4, DIMENSION + 1), dtype=np.float32))
    else:
        np.save(file, np.array([{"a": 1}], dtype=object), allow_pickle=True)
    with caplog.at_level(logging.WARNING):
        assert warmed(file) == 0
    assert "event=not_warmed shard=0" in caplog.text


def test_new_tuning_is_warmed_with_photos_that_were_asked_with(tmp_path: Path) -> None:
    look, base = small_look(1), base_rows(5, seed=2)
    with pytest.raises(FileNotFoundError):
        warming.recorded(tmp_path, tmp_path / "photos", look)
    rows = np.stack([np.frombuffer(each, np.uint8) for each in feature_bytes(base, FEATURES)])
    (tmp_path / "photos" / "8080").mkdir(parents=True)
    np.save(tmp_path / "photos" / "8080" / f"{FEATURES}.npy", rows)
    np.testing.assert_allclose(
        warming.recorded(tmp_path, tmp_path / "photos", look), look.tuning.queries(base), atol=0.05
    )
    own = look.tuning.queries(base[:2])
    np.save(recorded_file(tmp_path, look.extractor_id), own)
    np.testing.assert_array_equal(warming.recorded(tmp_path, tmp_path / "photos", look), own)
