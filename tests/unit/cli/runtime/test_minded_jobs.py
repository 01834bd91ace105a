"""Which jobs the stream runs as, and which of those that Flink has are the ones that are wanted."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from cli.runtime.flink.configuration import task_slots
from cli.runtime.flink.parts import cluster_names, manager_of
from cli.runtime.watchdog.minded import Found, MindedJob
from jobs.realtime_index.stream_jobs import EXTRACTION_JOB, STREAM_JOB, carried_stages, stream_jobs
from schemas.settings import Settings, load_settings


def chosen(home: Path, **settings: Any) -> Settings:
    return load_settings({}, home=str(home), **settings)


def details(*stages: str, running: int = 1) -> dict[str, Any]:
    """As Flink's REST interface tells of a job with one task a stage."""
    return {
        "jid": "-".join(stages),
        "vertices": [
            {"name": f"Source: {stage}_source[1] -> Calc[2]", "tasks": {"RUNNING": running, "SCHEDULED": 1 - running}}
            for stage in stages
        ],
    }


def test_every_stage_is_in_one_job_whatever_the_layout(tmp_path: Path) -> None:
    for apart in (False, True):
        settings = chosen(tmp_path, extraction_apart=apart, database_topic="shop")
        stages = [stage for job in stream_jobs(settings) for stage in job.stages(settings)]
        assert sorted(stages) == ["catalogue", "changes", "extraction"]
    assert stream_jobs(chosen(tmp_path)) == (STREAM_JOB,)
    assert STREAM_JOB.stages(chosen(tmp_path, extraction_apart=True)) == ("catalogue",)


def test_extraction_has_as_many_subtasks_as_its_own_setting_says(tmp_path: Path) -> None:
    settings = chosen(tmp_path, extraction_apart=True, parallelism=2)
    assert [job.parallelism(settings) for job in stream_jobs(settings)] == [2, 2]
    more = chosen(tmp_path, extraction_apart=True, parallelism=2, extraction_parallelism=6)
    assert [job.parallelism(more) for job in stream_jobs(more)] == [2, 6]
    assert task_slots(more) >= 12


def test_machine_has_a_task_manager_for_each_job(tmp_path: Path) -> None:
    settings = chosen(tmp_path, extraction_apart=True)
    assert cluster_names(settings)[1:] == [manager_of(job) for job in stream_jobs(settings)]


@pytest.mark.parametrize("stages", [("catalogue",), ("catalogue", "extraction", "changes"), ("extraction",)])
def test_stages_of_a_job_are_told_by_its_tasks(stages: tuple[str, ...]) -> None:
    names = " ".join(vertex["name"] for vertex in details(*stages)["vertices"])
    assert carried_stages(names) == stages


def test_job_of_another_layout_does_not_fit_and_one_that_is_coming_up_does() -> None:
    whole = Found.of(details("catalogue", "extraction"))
    assert whole.fits(("extraction", "catalogue"))
    assert not whole.fits(("catalogue",)), "extraction is another job's now"
    assert not Found.of(details("catalogue")).fits(("catalogue", "extraction"))
    assert Found.of({"jid": "new", "vertices": []}).fits(("catalogue",))


def test_job_runs_when_all_of_its_tasks_do() -> None:
    assert Found.of(details("catalogue")).runs
    assert not Found.of(details("catalogue", running=0)).runs
    assert not Found.of({"jid": "new", "vertices": []}).runs


def test_extraction_gets_more_patience_and_only_its_own_stage_is_minded(tmp_path: Path) -> None:
    settings = chosen(tmp_path, extraction_apart=True)
    stream, extraction = (MindedJob(settings, job, None) for job in stream_jobs(settings))
    assert (list(stream.stalls), list(extraction.stalls)) == (["catalogue"], ["extraction"])
    assert extraction.job == EXTRACTION_JOB
    assert "new pictures wait" in extraction.waits()
    assert extraction.part in extraction.waits()
