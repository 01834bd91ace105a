"""What no batch command can be run with is said at once, before a process of it is started."""

from __future__ import annotations

from pathlib import Path

import pytest

from cli.main import main
from schemas.settings import load_settings
from tests.ports import free_block


@pytest.fixture(autouse=True)
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A home beside which no Kafka runs."""
    monkeypatch.setenv("VITRINE_HOME", str(tmp_path))
    monkeypatch.setenv("VITRINE_KAFKA_PORT", str(free_block(2)))
    return tmp_path


@pytest.mark.parametrize("command", ["build", "replay"])
def test_kafka_that_does_not_run_is_named_with_what_starts_it(command: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert main([command]) == 2
    error = capsys.readouterr().err
    assert f"Kafka at {load_settings().bootstrap} does not answer" in error
    assert "vitrine start" in error
    assert error.count("\n") == 1
    assert not (load_settings().layout.logs / f"{command}.log").exists(), "no client was started"


@pytest.mark.parametrize(
    ("options", "told"),
    [
        (("--encoder", "EfficientNet"), "encoder 'EfficientNet' is no name of an encoder"),
        (("--weights", "nowhere.pth", "--encoder", "efficientnet_lite0"), "weights file nowhere.pth cannot be read"),
        (("--shards", "0"), "give a number from 1"),
    ],
    ids=["encoder", "weights", "shards"],
)
def test_build_that_cannot_be_is_refused_for_that_and_not_for_kafka(
    options: tuple[str, ...], told: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["build", *options]) == 2
    assert told in capsys.readouterr().err
    assert not (load_settings().layout.logs / "build.log").exists(), "no client was started"


@pytest.mark.parametrize("command", ["build", "replay"])
def test_task_managers_of_extraction_get_no_part_of_a_batch_job(
    command: str, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("VITRINE_EXTRACTION_APART", "true")
    assert main([command, "--cluster"]) == 2
    assert "run it without --cluster" in capsys.readouterr().err
