"""Temporary folders of secondaries do not pile up."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from feature_store.rocks import secondary_folders
from feature_store.rocks.secondary_folders import secondary_folder


def test_folders_of_dead_processes_are_swept_and_those_of_live_ones_kept(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(secondary_folders, "_ROOT", tmp_path / "secondaries")
    process = subprocess.Popen([sys.executable, "-c", ""])
    process.wait()
    mine = secondary_folder()
    dead = tmp_path / "secondaries" / f"{process.pid}-x"
    (dead / "inner").mkdir(parents=True)
    other = tmp_path / "secondaries" / f"{os.getppid()}-x"
    other.mkdir()
    another = secondary_folder()
    assert not dead.exists()
    assert other.exists()
    assert Path(mine.name).exists()
    mine.cleanup()
    another.cleanup()
    assert list((tmp_path / "secondaries").iterdir()) == [other]
