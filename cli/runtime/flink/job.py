"""Submitting the jobs of the stream to Flink, each once, and cancelling them."""

from __future__ import annotations

import logging
import subprocess
import time
from collections.abc import Callable, Sequence
from pathlib import Path

from cli.runtime.flink.access import FlinkAccess
from cli.runtime.flink.configuration import write_configuration
from cli.runtime.flink.jvm import client_command
from cli.runtime.flink.parts import client_environment
from cli.runtime.flink.rest import FlinkRest, root_cause
from cli.runtime.programs import REPOSITORY, jars, python
from disk.locks import locked
from jobs.pipeline.flink.loading import WORKER_PYTHON
from jobs.realtime_index.kept_plan import forget, kept
from jobs.realtime_index.preparation import prepare
from jobs.realtime_index.stream_jobs import ALL_JOBS, STREAM_JOB, StreamJob
from schemas.errors import OperatorError, RejectedError, TransientError
from schemas.layout import Layout
from schemas.settings import Settings, settings_json

log = logging.getLogger(__name__)

JOB_FILE = REPOSITORY / "jobs" / "realtime_index" / "main.py"
SUBMIT_TIMEOUT_S = 240.0
START_TIMEOUT_S = 120.0
"""That a new job manager has until it answers."""


def submit_job(
    settings: Settings,
    waiting: Callable[[], None] = lambda: None,
    *,
    job: StreamJob = STREAM_JOB,
    at: str | None = None,
    to_new_flink: bool = False,
) -> bool:
    """`flink run` of one job of the stream, to the Flink at host:port `at` (default: ours). False: it lives already.

    One submission at a time: another one is waited for. `to_new_flink`: the
    job manager has just been started and holds no job. It gets the plan of
    before where that was for the same log and settings; else the client plans
    the job while it comes up.

    The job reads its settings from the VITRINE_* variables, in the client that
    builds it as well as in the task manager's Python workers. `waiting` is
    called about once a second meanwhile.
    """
    layout, access = settings.layout, FlinkAccess.of(settings, at)
    layout.make()
    with locked(layout.run / "submission.lock"):
        if not to_new_flink:
            with FlinkRest(access) as flink:
                if flink.live_job(job.name) is not None:
                    return False
        elif _submit_kept(settings, job, access):
            return True
        _run_client(settings, job, access, waiting)
    log.info("event=job_submitted name=%s", job.name)
    return True


def _plan_folder(layout: Layout, job: StreamJob) -> Path:
    return layout.job_plan if job == STREAM_JOB else layout.extraction_plan


def _submit_kept(settings: Settings, job: StreamJob, access: FlinkAccess) -> bool:
    """Sends the plan of before to a job manager that may still be coming up. False: there is none that will do."""
    folder = _plan_folder(settings.layout, job)
    if not folder.exists():
        return False
    plan = kept(folder, epoch=prepare(job, settings), settings=settings_json(settings))
    if plan is None:
        return False
    try:
        with FlinkRest(access) as flink:
            _await_answer(flink)
            flink.submit(plan.for_a_new_job(), plan.jars, plan.artifacts)
    except RejectedError as error:
        log.warning("event=kept_plan_refused reason=%s next=plan_anew", error)
        return False
    log.info("event=job_submitted name=%s plan=kept", job.name)
    return True


def _await_answer(flink: FlinkRest) -> None:
    deadline = time.monotonic() + START_TIMEOUT_S
    while True:
        try:
            flink.jobs()
            return
        except TransientError:
            if time.monotonic() > deadline:
                raise
            time.sleep(0.1)


def _run_client(settings: Settings, job: StreamJob, access: FlinkAccess, waiting: Callable[[], None]) -> None:
    """Raises `OperatorError` with what the client said when it fails.

    On our Flink a job apart from the other is placed; what a Flink of somebody else's offers, we do not know.
    """
    layout = settings.layout
    if not (layout.flink_conf / "config.yaml").exists():
        write_configuration(settings)
    connector = [jar for jar in jars("flink") if jar.name.startswith("flink-sql-connector-kafka")]
    if not connector:
        raise OperatorError("flink-sql-connector-kafka is missing: remove .cache/jars and run `make setup`")
    command = [
        *client_command(layout),
        *("run", "--detached"),
        *("--jobmanager", access.address),
        *("--pyExecutable", str(WORKER_PYTHON), "--pyClientExecutable", python()),
        *("--jarfile", str(connector[0])),
        *("--python", str(JOB_FILE)),
        *("--stream-job", job.key),
    ]
    plan = _plan_folder(layout, job)
    forget(plan)
    if access.ours is not None:
        command += ["--keep-plan", str(plan), *(["--placed"] if settings.extraction_apart else [])]
    log_file = layout.logs / ("flink-submit.log" if job == STREAM_JOB else f"flink-submit-{job.key}.log")
    with log_file.open("wb") as output:
        client = subprocess.Popen(
            command,
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=subprocess.STDOUT,
            env=client_environment(settings, access),
            cwd=layout.home,
        )
        code = _wait(client, waiting, log_file)
    if code != 0:
        raise OperatorError(
            f"flink run failed (exit {code}): {root_cause(log_file.read_text(errors='replace'))}; the log is {log_file}"
        )


def cancel_jobs(access: FlinkAccess) -> list[str]:
    """Cancels every live job of the stream and waits for its end; returns the names of those that there were.

    Nothing is lost by it: the sources begin again at the group's committed
    offsets, and what is processed twice changes nothing.
    """
    cancelled = []
    with FlinkRest(access) as flink:
        for name in (job.name for job in ALL_JOBS):
            while (live := flink.live_job(name)) is not None:
                flink.cancel(live["jid"])
                cancelled.append(name)
    return cancelled


def job_runs(access: FlinkAccess, jobs: Sequence[StreamJob] = (STREAM_JOB,)) -> bool:
    """Whether all tasks of all these jobs run."""
    try:
        with FlinkRest(access) as flink:
            return all(_runs(flink, job.name) for job in jobs)
    except TransientError:
        return False


def _runs(flink: FlinkRest, name: str) -> bool:
    job = flink.live_job(name)
    running, tasks = (0, 0) if job is None else flink.running_tasks(job["jid"])
    return tasks > 0 and running == tasks


def failed_with(access: FlinkAccess, name: str) -> str | None:
    """What the latest job of that name that failed for good failed with. Raises `TransientError` without Flink."""
    with FlinkRest(access) as flink:
        ended = [job for job in flink.jobs() if job["name"] == name and job["state"] == "FAILED"]
        return flink.failure(max(ended, key=lambda job: int(job["start-time"]))["jid"]) if ended else None


def _wait(client: subprocess.Popen[bytes], waiting: Callable[[], None], log_file: Path) -> int:
    for _ in range(int(SUBMIT_TIMEOUT_S)):
        try:
            return client.wait(timeout=1.0)
        except subprocess.TimeoutExpired:
            waiting()
        except BaseException:
            client.kill()
            raise
    client.kill()
    client.wait()
    raise OperatorError(f"flink run did not end within {SUBMIT_TIMEOUT_S:.0f} s; see {log_file}")
