"""What `vitrine plan` says of the streaming job."""

from __future__ import annotations

import json

import pytest

from cli.main import main
from jobs.realtime_index.capacity import EVENTS_PER_SUBTASK, StreamRequest, plan_stream


@pytest.mark.parametrize("events", [1, 8_000, 8_001, 22_200, 50_000, 1_000_000])
def test_each_subtask_has_as_many_partitions_and_any_task_manager_may_be_away(events: int) -> None:
    plan = plan_stream(StreamRequest(events_per_s=events))
    assert plan.partitions % plan.subtasks == 0
    assert plan.subtasks * EVENTS_PER_SUBTASK >= events
    assert plan.task_managers >= 2
    assert plan.slots * (plan.task_managers - 1) >= plan.subtasks


def test_rate_of_events_is_planned_for_with_and_without_an_index(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["plan", "--events", "50000", "--json"]) == 0
    assert json.loads(capsys.readouterr().out)["stream"]["partitions"] == 16
    assert main(["plan", "--events", "50000", "--images", "1000", "--dimensions", "8", "--json"]) == 0
    assert {"stream", "lists"} <= json.loads(capsys.readouterr().out).keys()
    assert main(["plan", "--events", "50000", "--images", "1000", "--dimensions", "8"]) == 0
    said = capsys.readouterr().out
    assert "VITRINE_PARALLELISM" in said
    assert "1,000 images x 8" in said
    assert main(["plan"]) == 2
    assert "--images and --dimensions, or --events" in capsys.readouterr().err
    assert main(["plan", "--events", "0"]) == 2
