from __future__ import annotations

import json
from pathlib import Path

import pytest

from cli.main import main
from indexing.plan import PlanRequest, make_plan


@pytest.fixture(autouse=True)
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("VITRINE_HOME", str(tmp_path))
    monkeypatch.setenv("VITRINE_SHARDS", "4")
    monkeypatch.setenv("VITRINE_REPLICAS", "2")


def test_plan_takes_shards_and_replicas_from_the_settings(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["plan", "--images", "1000000", "--dimensions", "512", "--json"]) == 0
    plan = json.loads(capsys.readouterr().out)
    expected = make_plan(PlanRequest(images=1_000_000, dimension=512, shards=4, replicas=2))
    assert plan["memory_bytes"] == expected.memory_bytes
    assert plan["total_memory_bytes"] == 8 * expected.memory_bytes
    assert plan["kind"] == "ivf_pca"


def test_plan_explains_itself_to_a_person(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["plan", "--images", "30000", "--dimensions", "256", "--kind", "exact", "--shards", "1"]) == 0
    answer = capsys.readouterr().out
    assert "30,000 images a shard, exact" in answer
    assert "Expected recall@10: 1" in answer
    assert "MiB" in answer


def test_plan_that_fits_no_machine_fails_and_says_how_many_shards(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["plan", "--images", "100000000", "--dimensions", "512", "--machine-memory", "8"]) == 1
    assert "No shard fits" in capsys.readouterr().out


def test_plan_for_nothing_is_refused(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["plan", "--images", "0", "--dimensions", "512"]) == 2
    assert "images 0" in capsys.readouterr().err
