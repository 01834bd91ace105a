"""Submitting the streaming job to Flink, once, and cancelling it."""

from __future__ import annotations

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
    settings: Settings, layout: Layout, waiting: Callable[[], None] = lambda: None, *, at: str | None = None
) -> bool:
    """`flink run` of the streaming job, to the Flink at host:port `at` (default: ours). False: it lives already.

    The job reads its settings from the VITRINE_* variables, in the client that
    builds it as well as in the task manager's Python workers. `waiting` is
    called about once a second meanwhile.
    """
    with FlinkRest(settings, at=at) as flink:
        if flink.live_job(JOB_NAME) is not None:
            return False
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
    log.info("event=job_submitted name=%s", JOB_NAME)
    return True


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
    """Whether all tasks of the job run. Raises `OperatorError` with the cause when the job failed for good."""
    with FlinkRest(settings) as flink:
        try:
            job = flink.live_job(JOB_NAME)
            if job is not None:
                running, tasks = flink.running_tasks(job["jid"])
                return tasks > 0 and running == tasks
            ended = [job for job in flink.jobs() if job["name"] == JOB_NAME and job["state"] == "FAILED"]
            if ended:
                cause = flink.failure(max(ended, key=lambda job: int(job["start-time"]))["jid"])
                raise OperatorError(f"the streaming job failed: {cause}; see {flink.address}")
        except TransientError:
            return False
    return False


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
