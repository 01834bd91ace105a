"""The whole system: what is started after what, what each step waits for, and how it all ends."""

from __future__ import annotations

import logging
from collections.abc import Callable
from pathlib import Path

from cli.runtime import flink, job, kafka, preflight, services
from cli.runtime.layout import layout_of
from cli.runtime.processes import Processes
from cli.runtime.progress import Progress
from cli.runtime.waiting import wait_until
from messaging.admin import ensure_topics, wait_for_kafka
from schemas.errors import OperatorError, TransientError
from schemas.settings import Settings

log = logging.getLogger(__name__)

KAFKA_TIMEOUT_S = 120.0
FLINK_TIMEOUT_S = 180.0
JOB_TIMEOUT_S = 240.0
SERVICES_TIMEOUT_S = 300.0


class System:
    """The processes of one home. Every method may be called again at any time; one command at a time holds the lock.

    Starting starts only what is missing, so it also mends a system of which
    something has died.
    """

    def __init__(self, settings: Settings, progress: Progress | None = None) -> None:
        self.settings = settings
        self.layout = layout_of(settings)
        self.processes = Processes(self.layout)
        self._progress = Progress() if progress is None else progress

    def start(self) -> None:
        """Everything; returns when the blender answers and every shard has caught up."""
        with self.processes.lock():
            preflight.check(self.settings, self.processes, self.layout)
            if not self.settings.kafka_bootstrap:
                self._begin_kafka()
            self._begin_flink()
            self._await_kafka()
            self._create_topics()
            # The services load their models while Flink's client plans the job.
            self._begin_services()
            self._submit_job()
            self._await_services()

    def start_kafka(self) -> None:
        """The Kafka broker and its topics alone."""
        with self.processes.lock():
            preflight.check(self.settings, self.processes, self.layout, only_kafka=True)
            if not self.settings.kafka_bootstrap:
                self._begin_kafka()
            self._await_kafka()
            self._create_topics()

    def start_flink(self) -> None:
        """Kafka, the topics and Flink without a job: what a test of one job needs."""
        with self.processes.lock():
            preflight.check(self.settings, self.processes, self.layout)
            if not self.settings.kafka_bootstrap:
                self._begin_kafka()
            self._begin_flink()
            self._await_kafka()
            self._create_topics()
            self._await_flink()

    def start_services(self, shards: int = 0, *, wait: bool = True) -> None:
        """Searchers (of `shards` shards at least), broker, blender and heartbeat against a Kafka that runs.

        `wait`: until the blender is ready, which it is not where a shard of what serves is lost.
        """
        with self.processes.lock():
            preflight.check_searcher_ports(self.settings, self.processes, shards)
            self._begin_services(shards)
            if wait:
                self._await_services(shards)

    def submit_job(self, at: str | None = None) -> bool:
        """The streaming job, to the Flink at host:port `at` (default: ours). False: it runs already."""
        with self.processes.lock():
            try:
                return job.submit_job(self.settings, self.layout, self._waiting_for_client, at=at)
            except TransientError as error:
                raise OperatorError(f"{error.detail}; start Flink, or name another by --flink") from error

    def stop(self) -> list[str]:
        """Cancels the job, ends the processes in reverse order; returns the names of those that ran."""
        with self.processes.lock():
            stopped: list[str] = []
            present = set(self.processes.names())
            serving = [service.name for service in reversed(services.services(self.settings))]
            known = [*serving, flink.TASK_MANAGER, flink.JOB_MANAGER, kafka.NAME]
            # Records of another configuration (more shards, say) come before what they depend on.
            order = [*sorted(present - set(known)), *known]
            for name in order:
                if name == flink.TASK_MANAGER and self.processes.running(flink.JOB_MANAGER) is not None:
                    self._cancel_job()
                if name in present and self.processes.stop(name):
                    self._progress.say(f"{name}: stopped")
                    stopped.append(name)
            return stopped

    def running(self) -> dict[str, int]:
        """Process id by name of everything that runs."""
        found = {name: self.processes.running(name) for name in self.processes.names()}
        return {name: record.pid for name, record in found.items() if record is not None}

    def log_folder(self) -> Path:
        return self.layout.logs

    def _begin_kafka(self) -> None:
        if self.processes.running(kafka.NAME) is None:
            self._progress.say(f"Kafka: starting on 127.0.0.1:{self.settings.kafka_port}")
        kafka.start_broker(self.settings, self.processes, self.layout)

    def _await_kafka(self) -> None:
        if self.settings.kafka_bootstrap:
            wait_for_kafka(self.settings.kafka, 20.0)
            return
        self._wait("Kafka", self._kafka_answers, [kafka.NAME], KAFKA_TIMEOUT_S)

    def _kafka_answers(self) -> bool:
        try:
            wait_for_kafka(self.settings.kafka, 0.0)
        except OperatorError:
            return False
        return True

    def _create_topics(self) -> None:
        created = ensure_topics(self.settings)
        if created:
            self._progress.say(f"Kafka: created the topics {', '.join(created)}")

    def _begin_flink(self) -> None:
        if flink.start_cluster(self.settings, self.processes, self.layout):
            self._progress.say(f"Flink: starting, dashboard on http://127.0.0.1:{self.settings.flink_port}")

    def _await_flink(self) -> None:
        names = [flink.TASK_MANAGER, flink.JOB_MANAGER]
        self._wait("Flink's task manager", self._flink_has_slots, names, FLINK_TIMEOUT_S)

    def _flink_has_slots(self) -> bool:
        try:
            with flink.FlinkRest(self.settings) as rest:
                return rest.slots() > 0
        except TransientError:
            return False

    def _submit_job(self) -> None:
        self._await_flink()
        with flink.FlinkRest(self.settings) as rest:
            if rest.live_job(job.JOB_NAME) is None:
                with self._progress.step("Flink: submitting the streaming job"):
                    job.submit_job(self.settings, self.layout, self._waiting_for_client)
        names = [flink.JOB_MANAGER, flink.TASK_MANAGER]
        self._wait("the streaming job's tasks", lambda: job.job_runs(self.settings), names, JOB_TIMEOUT_S)

    def _waiting_for_client(self) -> None:
        self._progress.waiting("Flink's client, which plans the job")

    def _cancel_job(self) -> None:
        try:
            if job.cancel_job(self.settings):
                self._progress.say("streaming job: cancelled; its position is in Kafka")
        except TransientError as error:
            # The processes are about to end anyway, and a replay from the last committed offsets is harmless.
            log.warning("event=job_not_cancelled reason=%s", error)

    def _begin_services(self, shards: int = 0) -> None:
        if started := services.start_services(self.settings, self.processes, shards):
            self._progress.say(f"services: starting {', '.join(started)}")

    def _await_services(self, shards: int = 0) -> None:
        names = [service.name for service in services.services(self.settings, shards)]
        ready = "the blender to be ready (model loaded, every shard caught up)"
        self._wait(ready, lambda: services.blender_ready(self.settings), names, SERVICES_TIMEOUT_S)
        self._progress.say(f"services: ready on {services.blender_address(self.settings)}")

    def _wait(self, what: str, ready: Callable[[], bool], names: list[str], timeout_s: float) -> None:
        wait_until(ready, what, processes=self.processes, names=names, progress=self._progress, timeout_s=timeout_s)
