"""Submitting the streaming job to Flink, once, and cancelling it."""

from __future__ import annotations

import fcntl
import logging
import subprocess
from collections.abc import Callable

from cli.runtime.flink import FlinkRest, client_environment, rest_address, root_cause, write_configuration
from cli.runtime.layout import REPOSITORY, Layout, flink_home, jars, python
from schemas.errors import OperatorError, TransientError
from schemas.settings import Settings

log = logging.getLogger(__name__)

JOB_NAME = "vitrine-realtime-index"
JOB_FILE = REPOSITORY / "jobs" / "realtime_index" / "main.py"
SUBMIT_TIMEOUT_S = 240.0


def submit_job(
    settings: Settings,
    layout: Layout,
    waiting: Callable[[], None] = lambda: None,
    *,
    at: str | None = None,
    to_new_flink: bool = False,
) -> bool:
    """`flink run` of the streaming job, to the Flink at host:port `at` (default: ours). False: it lives already.

    One submission at a time: another one is waited for. `to_new_flink`: the
    job manager has just been started and holds no job, so that the client may
    plan the job while it comes up.

    The job reads its settings from the VITRINE_* variables, in the client that
    builds it as well as in the task manager's Python workers. `waiting` is
    called about once a second meanwhile.
    """
    layout.make()
    with (layout.run / "submission.lock").open("a") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if not to_new_flink:
            with FlinkRest(settings, at=at) as flink:
                if flink.live_job(JOB_NAME) is not None:
                    return False
        _run_client(settings, layout, waiting, at)
    log.info("event=job_submitted name=%s", JOB_NAME)
    return True


def _run_client(settings: Settings, layout: Layout, waiting: Callable[[], None], at: str | None) -> None:
    """Raises `OperatorError` with what the client said when it fails."""
    if not (layout.flink_conf / "config.yaml").exists():
        write_configuration(settings, layout)
    connector = [jar for jar in jars("flink") if jar.name.startswith("flink-sql-connector-kafka")]
    if not connector:
        raise OperatorError("flink-sql-connector-kafka is missing: remove .cache/jars and run `make setup`")
    command = [
        *("bash", str(flink_home() / "bin" / "flink"), "run", "--detached"),
        *("--jobmanager", at or rest_address(settings)),
        *("--python", str(JOB_FILE)),
        *("--pyExecutable", python(), "--pyClientExecutable", python()),
        *("--jarfile", str(connector[0])),
    ]
    log_file = layout.logs / "flink-submit.log"
    with log_file.open("wb") as output:
        client = subprocess.Popen(
            command,
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=subprocess.STDOUT,
            env=client_environment(settings, layout, at),
            cwd=layout.home,
        )
        code = _wait(client, waiting)
    if code != 0:
        raise OperatorError(
            f"flink run failed (exit {code}): {root_cause(log_file.read_text(errors='replace'))}; the log is {log_file}"
        )


def cancel_job(settings: Settings) -> bool:
    """Cancels every live job of our name and waits for its end. False: there was none.

    Nothing is lost by it: the sources begin again at the group's committed
    offsets, and what is processed twice changes nothing.
    """
    with FlinkRest(settings) as flink:
        cancelled = False
        while (job := flink.live_job(JOB_NAME)) is not None:
            flink.cancel(job["jid"])
            cancelled = True
        return cancelled


def job_runs(settings: Settings) -> bool:
    """Whether all tasks of the job run."""
    try:
        with FlinkRest(settings) as flink:
            job = flink.live_job(JOB_NAME)
            running, tasks = (0, 0) if job is None else flink.running_tasks(job["jid"])
    except TransientError:
        return False
    return tasks > 0 and running == tasks


def failed_with(settings: Settings) -> str | None:
    """What the latest job of our name that failed for good failed with. Raises `TransientError` without Flink."""
    with FlinkRest(settings) as flink:
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
