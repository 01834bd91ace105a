"""What of Flink's metrics is asked for. `tests/integration/runtime/test_containers.py` sees that Flink shows them."""

from __future__ import annotations

import re
from pathlib import Path

from jobs.pipeline.core import Outcome

STAGES = "flink_taskmanager_job_task_operator_vitrine_"
"""Before the names of our own, whose stage is in the label `vitrine`."""

FLINK: dict[str, set[str]] = {
    "flink_taskmanager_job_task_operator_pendingRecords": {"operator_name"},
    "flink_jobmanager_numRunningJobs": set(),
    "flink_jobmanager_job_numRestarts": {"job_name"},
    "flink_jobmanager_job_numberOfFailedCheckpoints": {"job_name"},
    "flink_jobmanager_job_numberOfCompletedCheckpoints": {"job_name"},
}
"""Flink's own, with labels that may be asked for."""

_JOBS = Path(__file__).resolve().parents[2] / "jobs" / "pipeline"


def stage_metrics() -> set[str]:
    """Names that the stages count under, from their code."""
    text = "\n".join(file.read_text(encoding="utf-8") for file in _JOBS.rglob("*.py"))
    counted = set(re.findall(r"_metrics\.(?:count|gauge)\(\s*\"(\w+)\"", text))
    counted |= set(re.findall(r"counts\[\"(\w+)\"\]", text))
    return counted | {outcome.value for outcome in Outcome}
