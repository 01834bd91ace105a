"""`vitrine keys`, and the key that `vitrine search` sends."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from cli.main import main
from schemas.access.api_keys import Role, read_keys


@pytest.fixture
def file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("VITRINE_HOME", str(tmp_path))
    monkeypatch.setenv("VITRINE_API_KEYS_FILE", str(tmp_path / "keys" / "api.json"))
    return tmp_path / "keys" / "api.json"


def test_key_is_shown_once_listed_and_revoked(file: Path, capsys: pytest.CaptureFixture[str]) -> None:
    limits = ["--requests-per-s", "50", "--photo-bytes-per-minute", "1000000"]
    assert main(["keys", "add", "front end", "--role", "search", "--role", "operate", *limits]) == 0
    text = capsys.readouterr().out.strip()
    assert re.fullmatch(r"vtr_[0-9a-f]{12}_[\w-]{43}", text)
    found = read_keys(file).find(text)
    assert found is not None
    assert (found.roles, found.requests_per_s) == ((Role.SEARCH, Role.OPERATE), 50.0)
    assert read_keys(file).find(text[:-1] + ("A" if text[-1] != "A" else "B")) is None

    assert main(["keys", "list"]) == 0
    listed = capsys.readouterr().out
    assert "front end" in listed
    assert found.id in listed
    assert found.hash not in listed + found.salt
    assert text.split("_", 2)[2] not in listed  # which may have more of them

    assert main(["keys", "revoke", found.id]) == 0
    assert read_keys(file).find(text) is None
    assert main(["keys", "revoke", found.id]) == 1
    assert "vitrine keys list" in capsys.readouterr().err


def test_without_a_setting_the_next_step_is_told(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("VITRINE_HOME", str(tmp_path))
    monkeypatch.delenv("VITRINE_API_KEYS_FILE", raising=False)
    assert main(["keys", "list"]) == 0
    assert main(["keys", "add", "x"]) == 0
    assert f"VITRINE_API_KEYS_FILE={tmp_path / 'api-keys.json'}" in capsys.readouterr().err


def test_damaged_file_is_not_overwritten(file: Path, capsys: pytest.CaptureFixture[str]) -> None:
    file.parent.mkdir()
    file.write_text("{")
    assert main(["keys", "add", "x"]) == 1
    assert "holds no API keys" in capsys.readouterr().err
    assert file.read_text() == "{"
