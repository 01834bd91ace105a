"""Submitting the streaming job to Flink, once, and cancelling it."""

from __future__ import annotations

import logging
import subprocess
import time
from collections.abc import Callable

from cli.runtime.flink.access import FlinkAccess
from cli.runtime.flink.configuration import write_configuration
from cli.runtime.flink.jvm import client_command
from cli.runtime.flink.parts import client_environment
from cli.runtime.flink.rest import FlinkRest, root_cause
from cli.runtime.programs import REPOSITORY, jars, python
from disk.locks import locked
from jobs.pipeline.flink.loading import WORKER_PYTHON
from jobs.realtime_index import JOB_NAME
from jobs.realtime_index.kept_plan import forget, kept
from jobs.realtime_index.preparation import prepare_log
from schemas.errors import OperatorError, RejectedError, TransientError
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
    at: str | None = None,
    to_new_flink: bool = False,
) -> bool:
    """`flink run` of the streaming job, to the Flink at host:port `at` (default: ours). False: it lives already.

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
                if flink.live_job(JOB_NAME) is not None:
                    return False
        elif _submit_kept(settings, access):
            return True
        _run_client(settings, access, waiting)
    log.info("event=job_submitted name=%s", JOB_NAME)
    return True


def _submit_kept(settings: Settings, access: FlinkAccess) -> bool:
    """Sends the plan of before to a job manager that may still be coming up. False: there is none that will do."""
    folder = settings.layout.job_plan
    if not folder.exists():
        return False
    plan = kept(folder, epoch=prepare_log(settings), settings=settings_json(settings))
    if plan is None:
        return False
    try:
        with FlinkRest(access) as flink:
            _await_answer(flink)
            flink.submit(plan.for_a_new_job(), plan.jars, plan.artifacts)
    except RejectedError as error:
        log.warning("event=kept_plan_refused reason=%s next=plan_anew", error)
        return False
    log.info("event=job_submitted name=%s plan=kept", JOB_NAME)
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


def _run_client(settings: Settings, access: FlinkAccess, waiting: Callable[[], None]) -> None:
    """Raises `OperatorError` with what the client said when it fails."""
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
    ]
    forget(layout.job_plan)
    if access.ours is not None:
        command += ["--keep-plan", str(layout.job_plan)]
    log_file = layout.logs / "flink-submit.log"
    with log_file.open("wb") as output:
        client = subprocess.Popen(
            command,
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=subprocess.STDOUT,
            env=client_environment(settings, access),
            cwd=layout.home,
        )
        code = _wait(client, waiting)
    if code != 0:
        raise OperatorError(
            f"flink run failed (exit {code}): {root_cause(log_file.read_text(errors='replace'))}; the log is {log_file}"
        )


def cancel_job(access: FlinkAccess) -> bool:
    """Cancels every live job of our name and waits for its end. False: there was none.

    Nothing is lost by it: the sources begin again at the group's committed
    offsets, and what is processed twice changes nothing.
    """
    with FlinkRest(access) as flink:
        cancelled = False
        while (job := flink.live_job(JOB_NAME)) is not None:
            flink.cancel(job["jid"])
            cancelled = True
        return cancelled


def job_runs(access: FlinkAccess) -> bool:
    """Whether all tasks of the job run."""
    try:
        with FlinkRest(access) as flink:
            job = flink.live_job(JOB_NAME)
            running, tasks = (0, 0) if job is None else flink.running_tasks(job["jid"])
    except TransientError:
        return False
    return tasks > 0 and running == tasks


def failed_with(access: FlinkAccess) -> str | None:
    """What the latest job of our name that failed for good failed with. Raises `TransientError` without Flink."""
    with FlinkRest(access) as flink:
        ended = [job for job in flink.jobs() if job["name"] == JOB_NAME and job["state"] == "FAILED"]
        return flink.failure(max(ended, key=lambda job: int(job["start-time"]))["jid"]) if ended else None


def _wait(client: subprocess.Popen[bytes], waiting: Callable[[], None]) -> int:
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
    raise OperatorError(f"flink run did not end within {SUBMIT_TIMEOUT_S:.0f} s; see logs/flink-submit.log")
