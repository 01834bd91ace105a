"""Task managers of other machines, for a system under test: they join, die with their workers, and where tasks sit."""

from __future__ import annotations

import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import httpx
import psutil

from cli.runtime.flink.access import FlinkAccess
from cli.runtime.flink.parts import flink_environment, taking_command
from jobs.realtime_index.stream_jobs import STREAM_JOB, StreamJob
from schemas.errors import TransientError
from tests.system import System


@contextmanager
def another_task_manager(system: System, job: StreamJob = STREAM_JOB) -> Iterator[subprocess.Popen[bytes]]:
    """As another machine's would, it reads the cluster's configuration and joins; ends with its Python workers.

    `job`: what it takes, where extraction is apart.
    """
    with (system.home / "another.log").open("ab") as log:
        process = subprocess.Popen(
            taking_command(system.settings, job), env=flink_environment(system.settings), stdout=log, stderr=log
        )
    try:
        yield process
    finally:
        end(process)


def end(process: subprocess.Popen[bytes]) -> None:
    """SIGKILL for it, and for its workers, which lose their machine with it."""
    if process.poll() is None:
        family = [psutil.Process(process.pid), *psutil.Process(process.pid).children(recursive=True)]
        for member in family:
            member.kill()
        process.wait(60)


def workers(pid: int) -> int:
    """Flink's Python workers below that task manager."""
    below = psutil.Process(pid).children(recursive=True)
    return sum("pyflink.fn_execution" in " ".join(each.cmdline()) for each in below if each.is_running())


@dataclass(frozen=True, slots=True)
class Placed:
    """One subtask: of which job, its task's name, and what the task manager that it is on offers."""

    job: str
    task: str
    offered: tuple[str, ...]


def placed(system: System) -> list[Placed]:
    """Every subtask that runs, as Flink's REST interface tells of it. Raises `TransientError` while it does not."""
    with httpx.Client(base_url=f"http://{FlinkAccess.of(system.settings).address}", trust_env=False) as flink:

        def told(path: str) -> Any:
            answer = flink.get(path)
            if answer.status_code != 200:
                raise TransientError("flink_unreachable", f"{path}: {answer.status_code}")
            return answer.json()

        offers = {
            manager["id"]: tuple(manager["totalResource"]["extendedResources"])
            for manager in told("/taskmanagers")["taskmanagers"]
        }
        return [
            Placed(job["name"], vertex["name"], offers.get(subtask["taskmanager-id"], ("is gone",)))
            for job in told("/jobs/overview")["jobs"]
            if job["state"] == "RUNNING"
            for vertex in told(f"/jobs/{job['jid']}")["vertices"]
            for subtask in told(f"/jobs/{job['jid']}/vertices/{vertex['id']}")["subtasks"]
            if subtask["status"] == "RUNNING"
        ]
