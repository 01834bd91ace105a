"""`vitrine status` names what is missing, restarting, given up, flapping, stale or behind, and nothing that is well."""

from __future__ import annotations

import pytest

from cli.health import grows, job_problems, process_problems, stale, watchdog_problems
from cli.inspection import ShardView, stale_problems
from cli.runtime.processes import ProcessRecord
from cli.runtime.supervisor import PartState
from cli.runtime.watchdog.state import Lag, WatchdogState

NOW = 10_000.0
PARTS = ["blender", "kafka"]


def record(name: str, *starts: float) -> ProcessRecord:
    return ProcessRecord(name=name, pid=1, created=starts[-1], command=[name], starts=list(starts))


def healthy() -> dict[str, ProcessRecord | None]:
    return {name: record(name, NOW - 3600) for name in (*PARTS, "supervisor")}


def states(**changed: str) -> dict[str, PartState]:
    return {name: PartState(changed.get(name, "RUNNING"), 7.0) for name in PARTS}


def test_nothing_is_said_of_parts_that_run() -> None:
    assert process_problems(PARTS, healthy(), states(), NOW) == []


def test_part_that_has_just_been_started_for_the_first_time_is_well() -> None:
    running = {**healthy(), "blender": record("blender", NOW - 2)}
    assert process_problems(PARTS, running, states(blender="STARTING"), NOW) == []


def test_system_that_nobody_started_here_has_no_missing_parts() -> None:
    assert process_problems([], {}, None, NOW) == []


@pytest.mark.parametrize(
    ("records", "said", "expected"),
    [
        ({"blender": None}, states(), "blender: is not running: vitrine start"),
        ({"blender": None}, states(blender="BACKOFF"), "blender: is not running, restarting"),
        ({"kafka": None}, states(kafka="FATAL"), "kafka: failed 10 times in a row, given up"),
        ({"blender": record("blender", NOW - 900, NOW - 7)}, states(blender="STARTING"), "blender: restarting"),
        (
            {"kafka": record("kafka", NOW - 900, NOW - 200, NOW - 150, NOW - 100)},
            states(),
            "kafka: flapping, restarted 3 times",
        ),
        ({"supervisor": None}, None, "supervisor: is not running"),
        ({}, None, "supervisor: does not answer"),
    ],
)
def test_part_that_is_not_well_is_named(
    records: dict[str, ProcessRecord | None], said: dict[str, PartState] | None, expected: str
) -> None:
    (problem,) = process_problems(PARTS, {**healthy(), **records}, said, NOW)
    assert problem.startswith(expected)


@pytest.mark.parametrize(
    ("state", "running", "tasks"), [("RESTARTING", 0, 2), ("RUNNING", 1, 2), ("RUNNING", 0, 0), ("FAILED", 0, 2)]
)
def test_job_that_does_not_run_whole_is_named(state: str, running: int, tasks: int) -> None:
    (problem,) = job_problems(state, running, tasks, "the shelf is empty")
    assert problem == f"job: {state}, {running} of {tasks} tasks run; latest failure: the shelf is empty"


def test_outlived_failure_of_the_job_is_no_problem() -> None:
    assert job_problems("RUNNING", 2, 2, "the shelf was empty") == []


def test_watchdog_that_has_given_up_says_why() -> None:
    state = WatchdogState(written_at=NOW, given_up=True, problem="the catalogue stage has not moved")
    (problem,) = watchdog_problems(state, NOW)
    assert problem.startswith("watchdog: has given up: the catalogue stage has not moved")


def test_watchdog_that_hangs_is_named() -> None:
    (problem,) = watchdog_problems(WatchdogState(written_at=NOW - 100), NOW)
    assert problem.startswith("watchdog: has not looked at the job for 100 s")


def test_restart_of_what_hung_is_told_for_a_while() -> None:
    assert watchdog_problems(WatchdogState(written_at=NOW, restarts=[NOW - 3600]), NOW) == []
    (problem,) = watchdog_problems(WatchdogState(written_at=NOW, restarts=[NOW - 10]), NOW)
    assert "restarted what hung 1 times" in problem


def test_failed_submission_is_named() -> None:
    (problem,) = watchdog_problems(WatchdogState(written_at=NOW, failure="flink run failed"), NOW)
    assert problem == "watchdog: the job could not be submitted: flink run failed"


def saw_tooth(per_s: int) -> list[tuple[float, int]]:
    """A minute of a stage that keeps up: each checkpoint takes the lag back to nothing."""
    return [(float(at), per_s * (at % 10)) for at in range(0, 61, 5)]


def test_lag_between_checkpoints_does_not_grow() -> None:
    assert grows(saw_tooth(10_000)) is None


def test_lag_that_no_checkpoint_takes_back_grows() -> None:
    rising = [(at, lag + int(at) * 500) for at, lag in saw_tooth(1000)]
    assert grows(rising) == rising[-1][1]
    lags = [Lag(at=at, catalogue=lag, extraction=0) for at, lag in rising]
    (problem,) = watchdog_problems(WatchdogState(written_at=NOW, lags=lags), NOW)
    assert problem.startswith("lag of the catalogue stage grows")


def test_backlog_that_shrinks_is_no_problem() -> None:
    assert grows([(float(at), 100_000 - 500 * at) for at in range(0, 61, 5)]) is None


def test_old_watermark_is_stale_and_a_young_one_is_not() -> None:
    assert stale(990_000, 1_000_000, 30.0, "index") == []
    assert stale(760_000, 1_000_000, 30.0, "index") == ["index: stale, the watermark is 240 s old"]
    assert stale(0, 1_000_000, 30.0, "index") == ["index: has no watermark yet"]


def view(shard: int, watermark_ms: int) -> ShardView:
    return ShardView(
        shard=shard, replica=0, ready=True, images=1, searchable=1, pending=0, digest="", watermark_ms=watermark_ms,
        lag=0, index="exact", memory_bytes=1,
    )  # fmt: skip


def test_searcher_that_is_behind_is_named_and_all_of_them_are_one_line() -> None:
    assert stale_problems([view(0, 999_000), view(1, 900_000)], 30.0, 1_000_000) == [
        "searcher 1-0: stale, the watermark is 100 s old"
    ]
    assert stale_problems([view(0, 800_000), view(1, 900_000)], 30.0, 1_000_000) == [
        "index: stale, the watermark is 200 s old"
    ]
    assert stale_problems([view(0, 999_000)], 30.0, 1_000_000) == []
