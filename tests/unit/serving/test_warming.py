"""Recorded queries warm an index; what is wrong with them harms nothing."""

from __future__ import annotations

import logging
from pathlib import Path

import numpy as np
import pytest

from serving.searcher import warming
from tests.support.serving.world import DIMENSION, batch, direction, listed, ready_searcher


def warmed(file: Path) -> int:
    index = ready_searcher(deltas=listed(batch(), "p", [direction(1)])).index
    assert index is not None
    return warming.warm(index, file, "shard=0")


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
