"""Running a batch job's client: a process that plans the job, and runs it or has a cluster run it.

By default the job runs on a Flink of the client's own, for as long as it
takes; with `cluster` on the one that `vitrine start` runs, whose dashboard
then shows it.
"""

from __future__ import annotations

import subprocess
from collections.abc import Callable, Sequence

from cli.runtime.flink.access import FlinkAccess
from cli.runtime.flink.configuration import write_configuration
from cli.runtime.flink.jvm import client_command
from cli.runtime.flink.parts import client_environment
from cli.runtime.flink.rest import FlinkRest, root_cause
from cli.runtime.programs import REPOSITORY, python
from jobs.pipeline.flink.loading import WORKER_PYTHON
from messaging.admin import wait_for_kafka
from schemas.errors import OperatorError, TransientError, VitrineError
from schemas.settings import Settings

JOB_FILE = REPOSITORY / "jobs" / "full_index" / "main.py"
_POLL_S = 1.0
_KAFKA_S = 3.0
"""Enough for a Kafka that runs, on a busy machine; a person who has not started it waits no longer."""


class BatchClient:
    """The client of one batch command. `job_names`: of the Flink jobs that the command runs, for cancelling them."""

    def __init__(self, settings: Settings, command: str, job_names: Sequence[str]) -> None:
        self._settings = settings
        self._command = command
        self._job_names = job_names
        self._layout = settings.layout
        self._flink = FlinkAccess.of(settings)
        self.log_file = self._layout.logs / f"{command}.log"

    def run(self, arguments: Sequence[str], *, cluster: bool, waiting: Callable[[], None]) -> int:
        """The client's exit code; `waiting` is called about once a second. Interrupted, it ends client and jobs.

        Raises `OperatorError` where Kafka does not answer, before anything is started; and for a cluster whose task
        managers take one job each: who asks for a slot and names none of them may get any.
        """
        settings, layout = self._settings, self._layout
        if cluster:
            self._check_shared()
        wait_for_kafka(settings.kafka, _KAFKA_S)
        if not (layout.flink_conf / "config.yaml").exists():
            write_configuration(settings)
        with self.log_file.open("wb") as output:
            client = subprocess.Popen(
                self._command_line(arguments, cluster),
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=subprocess.STDOUT,
                env=client_environment(settings, self._flink),
                cwd=layout.home,
            )
            try:
                while True:
                    try:
                        return client.wait(timeout=_POLL_S)
                    except subprocess.TimeoutExpired:
                        waiting()
            except BaseException:
                client.terminate()
                client.wait()
                if cluster:
                    self.cancel_left_over()
                raise

    def failure(self, code: int) -> VitrineError:
        """What the client that ended with `code` said of it."""
        text = self.log_file.read_text(errors="replace")
        told = [line for line in text.splitlines() if line.startswith("vitrine: ")]
        message = told[-1].removeprefix("vitrine: ") if told else root_cause(text)
        message = f"{message}; the log is {self.log_file}"
        return OperatorError(message) if code == 2 else TransientError(f"{self._command}_failed", message)

    def cancel_left_over(self) -> None:
        """Ends the jobs of a client that was killed. Raises `OperatorError` when the cluster does not answer."""
        self._check_shared()
        try:
            with FlinkRest(self._flink) as flink:
                for name in self._job_names:
                    while (job := flink.live_job(name)) is not None:
                        flink.cancel(job["jid"])
        except TransientError as error:
            raise OperatorError(f"{error.detail}; vitrine start starts Flink") from error

    def _check_shared(self) -> None:
        if self._settings.extraction_apart:
            raise OperatorError(
                f"task managers that take extraction alone would get a part of the {self._command} "
                "(VITRINE_EXTRACTION_APART): run it without --cluster, on a Flink of its own"
            )

    def _command_line(self, arguments: Sequence[str], cluster: bool) -> list[str]:
        if not cluster:
            return [python(), "-m", "jobs.full_index", self._command, "--mini-cluster", *arguments]
        return [
            *client_command(self._layout),
            "run",
            *("--jobmanager", self._flink.address),
            *("--python", str(JOB_FILE)),
            *("--pyExecutable", str(WORKER_PYTHON), "--pyClientExecutable", python()),
            *(self._command, *arguments),
        ]
