"""The little of Flink's REST interface that we need."""

from __future__ import annotations

import contextlib
import json
import re
import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import IO, Any

import httpx

from cli.runtime.flink.access import FlinkAccess
from schemas.errors import RejectedError, TransientError

LIVE_STATES = frozenset(("CREATED", "INITIALIZING", "RUNNING", "RESTARTING", "RECONCILING"))
ENDED_STATES = frozenset(("FAILED", "CANCELED", "FINISHED"))
SUBMIT_S = 60.0


class FlinkRest:
    """Flink's REST interface.

    Every method raises `TransientError('flink_unreachable', ...)` when nothing answers.
    """

    def __init__(self, access: FlinkAccess, *, timeout_s: float = 5.0) -> None:
        self.address = f"http://{access.address}"
        self._access = access
        # Plain HTTP: certificates' authorities, which no verification needs, take 20 ms to load, and polls ask often.
        self._client = httpx.Client(base_url=self.address, timeout=timeout_s, trust_env=False, verify=False)

    def close(self) -> None:
        self._client.close()

    def __enter__(self) -> FlinkRest:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def slots(self) -> int:
        """Slots of all registered task managers."""
        return int(self._get("/overview")["slots-total"])

    def slots_for(self, resource: str) -> int:
        """Slots of the registered task managers that offer this external resource."""
        return sum(
            manager["slotsNumber"]
            for manager in self._get("/taskmanagers")["taskmanagers"]
            if resource in manager["totalResource"]["extendedResources"]
        )

    def jobs(self) -> list[dict[str, Any]]:
        """All jobs the job manager remembers: `jid`, `name`, `state`, `start-time` (ms), tasks by state."""
        jobs: list[dict[str, Any]] = self._get("/jobs/overview")["jobs"]
        return jobs

    def live_job(self, name: str) -> dict[str, Any] | None:
        """The job of that name that runs or tries to."""
        return next((job for job in self.jobs() if job["name"] == name and job["state"] in LIVE_STATES), None)

    def job(self, job_id: str) -> dict[str, Any]:
        job: dict[str, Any] = self._get(f"/jobs/{job_id}")
        return job

    def running_tasks(self, job_id: str) -> tuple[int, int]:
        """(tasks that run, all tasks) of a job."""
        return tasks_of(self.job(job_id))

    def failure(self, job_id: str) -> str | None:
        """The latest failure's first line, when the job ever failed."""
        entries = self._get(f"/jobs/{job_id}/exceptions?maxExceptions=1")["exceptionHistory"]["entries"]
        return root_cause(str(entries[0]["stacktrace"])) if entries else None

    def checkpoints(self, job_id: str) -> dict[str, Any]:
        counts: dict[str, Any] = self._get(f"/jobs/{job_id}/checkpoints")["counts"]
        return counts

    def submit(self, graph: bytes, jars: Sequence[str], artifacts: Mapping[str, str]) -> str:
        """Submits a job that was planned before (`jobs/realtime_index/kept_plan.py`); returns its id.

        Raises `RejectedError` when Flink refuses it.
        """
        request = {
            "executionPlanFileName": "plan.bin",
            "jobJarFileNames": [Path(jar).name for jar in jars],
            "jobArtifactFileNames": [
                {"entryName": name, "fileName": Path(artifact).name} for name, artifact in artifacts.items()
            ],
        }
        with contextlib.ExitStack() as opened:
            files: list[tuple[str, tuple[str, bytes | IO[bytes]]]] = [("plan", ("plan.bin", graph))]
            for path in map(Path, (*jars, *artifacts.values())):
                files.append((path.name, (path.name, opened.enter_context(path.open("rb")))))
            form = {"request": json.dumps(request)}
            response = self._request("POST", "/jobs", self._access.headers(), data=form, files=files, timeout=SUBMIT_S)
        return str(response.json()["jobUrl"]).rpartition("/")[2]

    def cancel(self, job_id: str, timeout_s: float = 30.0) -> None:
        """Cancels and waits for the end. Raises `TransientError('cancel_timeout', ...)`."""
        self._request("PATCH", f"/jobs/{job_id}?mode=cancel", self._access.headers())
        deadline = time.monotonic() + timeout_s
        while self.job(job_id)["state"] not in ENDED_STATES:
            if time.monotonic() > deadline:
                raise TransientError("cancel_timeout", f"job {job_id} did not end within {timeout_s:.0f} s")
            time.sleep(0.1)

    def _get(self, path: str) -> Any:
        return self._request("GET", path).json()

    def _request(self, method: str, path: str, headers: dict[str, str] | None = None, **body: Any) -> httpx.Response:
        try:
            response = self._client.request(method, path, headers=headers, **body)
            response.raise_for_status()
        except httpx.HTTPStatusError as error:
            reason = f"{self.address}{path}: {error.response.status_code} {error.response.text[:2000]}"
            if method == "POST":
                raise RejectedError("flink_refuses", reason) from error
            raise TransientError("flink_unreachable", reason) from error
        except httpx.HTTPError as error:
            raise TransientError(
                "flink_unreachable", f"{self.address}{path}: {error or type(error).__name__}"
            ) from error
        return response


def tasks_of(job: Mapping[str, Any]) -> tuple[int, int]:
    """The same, from what `FlinkRest.job` gives."""
    tasks = [vertex["tasks"] for vertex in job["vertices"]]
    return sum(task["RUNNING"] for task in tasks), sum(sum(task.values()) for task in tasks)


def root_cause(text: str) -> str:
    """The most telling line of a Java stack trace or a client's output: Python's error, else the innermost cause."""
    lines = [line.strip() for line in text.splitlines() if line.strip()]
    python_errors = [line for line in lines if re.match(r"(?!org\.|java\.)[\w.]+(Error|Exception)\b", line)]
    causes = [line for line in lines if line.startswith("Caused by:")]
    return (python_errors[-1:] or causes[-1:] or lines[:1] or ["no output"])[-1][:500]
