"""Position and base move together; what neither names is swept."""

from __future__ import annotations

from pathlib import Path

import pytest

from jobs.full_index.replay.position import ReplayFolder, ReplayPosition
from schemas.errors import CorruptError, OperatorError


@pytest.fixture
def folder(tmp_path: Path) -> ReplayFolder:
    found = ReplayFolder(tmp_path / "replay")
    with found.lock():
        pass
    return found


def publish(folder: ReplayFolder, run: str, end: int) -> ReplayPosition:
    truth = folder.run(run) / "truth"
    truth.mkdir(parents=True)
    (truth / "content").write_text(run)
    position = ReplayPosition(topic_id="t", epoch=0, ends=[end], base=f"base-{run}", at_ms=1)
    folder.publish(run, truth, position)
    return position


def test_published_position_names_a_base_that_is_there(folder: ReplayFolder) -> None:
    assert folder.position() is None
    publish(folder, "one", 5)
    second = publish(folder, "two", 9)
    assert folder.position() == second
    assert (folder.base(second) / "content").read_text() == "two"
    assert sorted(path.name for path in folder.path.glob("*-*")) == ["base-two"]


def test_replay_killed_before_its_position_is_written_leaves_the_old_pair(folder: ReplayFolder) -> None:
    first = publish(folder, "one", 5)
    (folder.run("killed") / "features").mkdir(parents=True)
    (folder.path / "base-killed").mkdir()
    folder.sweep()
    assert folder.position() == first
    assert folder.base(first).is_dir()
    assert sorted(path.name for path in folder.path.glob("*-*")) == ["base-one"]


def test_damaged_position_is_named(folder: ReplayFolder) -> None:
    (folder.path / "position.json").write_text('{"topic_id": 3}')
    with pytest.raises(CorruptError, match=r"position\.json"):
        folder.position()


def test_second_replay_of_the_home_is_refused(folder: ReplayFolder) -> None:
    with folder.lock(), pytest.raises(OperatorError, match="under way"), folder.lock():
        pass
