"""The plan of the streaming job that is kept for a new job manager: for what it is of use, and what is sent of it."""

from __future__ import annotations

from pathlib import Path

import msgspec
import pytest

from jobs.realtime_index.kept_plan import KeptPlan, code_digest, forget, kept

JOB = "ff9d1dc901c36e4036b7a3d7c5b2bfc2"


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A plan for epoch 3 and the settings `{}`, with one jar."""
    folder = tmp_path / "job-plan"
    folder.mkdir()
    (folder / "plan.bin").write_bytes(b"before" + bytes.fromhex(JOB) + b"behind")
    (tmp_path / "connector.jar").write_bytes(b"jar")
    plan = KeptPlan(
        graph=str(folder / "plan.bin"),
        job_id=JOB,
        jars=[str(tmp_path / "connector.jar")],
        artifacts={},
        epoch=3,
        settings="{}",
        code=code_digest(),
    )
    (folder / "plan.json").write_bytes(msgspec.json.encode(plan))
    return folder


def test_plan_is_of_use_for_its_own_log_and_settings_alone(folder: Path) -> None:
    assert kept(folder, epoch=3, settings="{}") is not None
    assert kept(folder, epoch=4, settings="{}") is None
    assert kept(folder, epoch=3, settings='{"shards":2}') is None


def test_plan_of_other_code_is_none(folder: Path) -> None:
    """Functions lie in it by their names, which may be others since an upgrade."""
    plan = kept(folder, epoch=3, settings="{}")
    assert plan is not None
    (folder / "plan.json").write_bytes(msgspec.json.encode(msgspec.structs.replace(plan, code="0" * 32)))
    assert kept(folder, epoch=3, settings="{}") is None


def test_plan_whose_jar_is_gone_is_none(folder: Path, tmp_path: Path) -> None:
    (tmp_path / "connector.jar").unlink()
    assert kept(folder, epoch=3, settings="{}") is None


@pytest.mark.parametrize("manifest", [b"", b"{", b'{"graph": 1}'])
def test_manifest_that_cannot_be_read_is_no_plan(folder: Path, manifest: bytes) -> None:
    (folder / "plan.json").write_bytes(manifest)
    assert kept(folder, epoch=3, settings="{}") is None


def test_every_submission_has_a_job_id_of_its_own(folder: Path) -> None:
    plan = kept(folder, epoch=3, settings="{}")
    assert plan is not None
    graphs = [plan.for_a_new_job() for _ in range(3)]
    assert len(set(graphs)) == 3
    assert all(graph.startswith(b"before") and graph.endswith(b"behind") and len(graph) == 28 for graph in graphs)
    assert all(bytes.fromhex(JOB) not in graph for graph in graphs)


def test_forgotten_plan_is_none(folder: Path) -> None:
    forget(folder)
    forget(folder)
    assert kept(folder, epoch=3, settings="{}") is None
