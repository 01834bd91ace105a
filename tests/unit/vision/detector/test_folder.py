"""The detector's files: what is missing or altered is refused, and says what to do."""

from __future__ import annotations

from pathlib import Path

import pytest

from schemas.errors import OperatorError
from vision.detector.folder import (
    NETWORK,
    NUMBERS,
    check_installed,
    checked_network,
    detector_folder,
    is_installed,
    write_manifest,
)
from vision.detector.source import read_source


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("VITRINE_DETECTOR", str(tmp_path))
    return tmp_path


def test_without_a_detector_the_error_names_what_makes_one(folder: Path) -> None:
    assert detector_folder() == folder and not is_installed()
    for check in (check_installed, checked_network):
        with pytest.raises(OperatorError, match="make detector"):
            check()


@pytest.mark.parametrize("name", [NETWORK, NUMBERS])
def test_altered_file_is_not_loaded(folder: Path, name: str) -> None:
    for each in (NETWORK, NUMBERS):
        (folder / each).write_bytes(b"as it was converted")
    write_manifest(folder)
    assert is_installed() and checked_network() == folder / NETWORK
    (folder / name).write_bytes(b"as it was converteD")
    with pytest.raises(OperatorError, match=name.replace(".", r"\.")):
        checked_network()
    (folder / name).unlink()
    with pytest.raises(OperatorError, match="cannot be read"):
        checked_network()


def test_other_package_is_not_converted(tmp_path: Path) -> None:
    with pytest.raises(OperatorError, match="make detector"):
        read_source(tmp_path)
    (tmp_path / "models").mkdir()
    (tmp_path / "models" / "nanodet.json").write_bytes(b"{}")
    (tmp_path / "models" / "nanodet.bin").write_bytes(b"")
    with pytest.raises(OperatorError, match="is not that of"):
        read_source(tmp_path)
