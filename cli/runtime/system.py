"""The whole system: what is started after what, what each step waits for, and how it all ends."""

from __future__ import annotations

import logging
import time
from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager
from pathlib import Path

from cli.runtime import kafka, preflight, services
from cli.runtime.flink import job
from cli.runtime.flink.access import FlinkAccess
from cli.runtime.flink.parts import EXTRACTION_MANAGER, JOB_MANAGER, TASK_MANAGER, cluster_names, cluster_parts
from cli.runtime.flink.rest import FlinkRest
from cli.runtime.home_encoder import another_encoder, remember_encoder
from cli.runtime.parts import wanted
from cli.runtime.processes import Processes
from cli.runtime.progress import Progress
from cli.runtime.supervisor import NAME as SUPERVISOR
from cli.runtime.supervisor import Supervisor
from cli.runtime.waiting import wait_until
from cli.runtime.watchdog.part import watchdog_part
from cli.runtime.watchdog.state import NAME as WATCHDOG
from cli.runtime.watchdog.state import read_state
from cli.topics_view import topics_of
from jobs.realtime_index.stream_jobs import stream_jobs
from messaging.admin import ensure_topics, wait_for_kafka
from messaging.replication import replications, too_few_replicas
from schemas.errors import OperatorError, TransientError
from schemas.settings import Settings

log = logging.getLogger(__name__)

KAFKA_TIMEOUT_S = 120.0
FLINK_TIMEOUT_S = 180.0
JOB_TIMEOUT_S = 240.0
SERVICES_TIMEOUT_S = 300.0


class System:
    """The processes of one home. Every method may be called again at any time; one command at a time holds the lock.

    All parts run under a supervisor, which restarts what ends. Starting
    starts only what is missing, and with it what the supervisor has given up.
    """

    def __init__(self, settings: Settings, progress: Progress | None = None) -> None:
        self.settings = settings
        self.layout = settings.layout
        self.processes = Processes(self.layout)
        self.supervisor = Supervisor(settings, self.layout, self.processes)
        self._flink = FlinkAccess.of(settings)
        self._progress = Progress() if progress is None else progress

    def start(self) -> None:
        """Everything; returns when the blender answers and every shard has caught up."""
        with self._locked():
            preflight.check(self.settings, self.processes, self.layout)
            self._remember_encoder()
            self.supervisor.ensure()
            self._begin_kafka()
            self._begin_flink()
            # It has the job submitted: Flink's client comes up beside Flink, and waits for Kafka itself.
            since = self._begin_watchdog()
            self._await_kafka()
            self._create_topics()
            # The services load their models while Flink's client plans the job.
            self._begin_services()
            self._await_job(since)
            self._await_services()

    def start_kafka(self) -> None:
        """The Kafka broker and its topics alone."""
        with self._locked():
            preflight.check(self.settings, self.processes, self.layout, only_kafka=True)
            self.supervisor.ensure()
            self._begin_kafka()
            self._await_kafka()
            self._create_topics()

    def start_flink(self) -> None:
        """Kafka, the topics and Flink without a job: what a test of one job needs."""
        with self._locked():
            preflight.check(self.settings, self.processes, self.layout)
            self._remember_encoder()
            self.supervisor.ensure()
            self._begin_kafka()
            self._begin_flink()
            self._await_kafka()
            self._create_topics()
            self._await_flink()

    def start_services(self, shards: int = 0, *, wait: bool = True) -> None:
        """Searchers (of `shards` shards at least), broker, blender and heartbeat against a Kafka that runs.

        `wait`: until the blender is ready, which it is not where a shard of what serves is lost.
        """
        with self._locked():
            preflight.check_searcher_ports(self.settings.tier, self.processes, shards)
            remember_encoder(self.settings)
            self.supervisor.ensure()
            self._begin_services(shards)
            if wait:
                self._await_services(shards)

    def submit_job(self, at: str | None = None) -> bool:
        """The jobs of the stream, to the Flink at host:port `at` (default: ours). False: they run already."""
        with self._locked():
            remember_encoder(self.settings)
            try:
                submitted = [
                    job.submit_job(self.settings, self._waiting_for_client, job=each, at=at)
                    for each in stream_jobs(self.settings)
                ]
                return any(submitted)
            except TransientError as error:
                raise OperatorError(f"{error.detail}; start Flink, or name another by --flink") from error

    def stop(self) -> list[str]:
        """Cancels the job, ends the processes in reverse order; returns the names of those that ran."""
        with self._locked():
            stopped: list[str] = []
            present = {*self.processes.names(), *wanted(self.layout)}
            serving = [service.name for service in reversed(services.services(self.settings))]
            # The watchdog first, which would bring the others back; the supervisor last.
            known = [*serving, TASK_MANAGER, EXTRACTION_MANAGER, JOB_MANAGER, kafka.NAME, SUPERVISOR]
            # Records of another configuration (more shards, say) come before what they depend on.
            order = [WATCHDOG, *sorted(present - {*known, WATCHDOG}), *known]
            for name in order:
                if name == TASK_MANAGER and self.processes.running(JOB_MANAGER) is not None:
                    self._cancel_jobs()
                if name in present and self._end(name):
                    self._progress.say(f"{name}: stopped")
                    stopped.append(name)
            return stopped

    def stop_parts(self, names: Sequence[str]) -> list[str]:
        """Ends these alone, until `start`; gives those that ran. Raises `OperatorError` for a name that it has not."""
        with self._locked():
            present = {*self.processes.names(), *wanted(self.layout)} - {SUPERVISOR}
            if unknown := [name for name in names if name not in present]:
                raise OperatorError(f"{unknown[0]} does not run; there are {', '.join(sorted(present)) or 'none'}")
            return [name for name in names if self.supervisor.end(name)]

    def running(self) -> dict[str, int]:
        """Process id by name of everything that runs, the supervisor included."""
        found = {name: self.processes.running(name) for name in self.processes.names()}
        return {name: record.pid for name, record in found.items() if record is not None}

    def expected(self) -> list[str]:
        """Every part that should run: of a system that was started whole all of them, else those that were started."""
        names = wanted(self.layout)
        if WATCHDOG not in names:
            return names
        own = [kafka.NAME] if self.settings.runs_kafka else []
        serving = [service.name for service in services.services(self.settings)]
        return sorted({*names, *own, *cluster_names(self.settings), *serving})

    def log_folder(self) -> Path:
        return self.layout.logs

    def _locked(self) -> AbstractContextManager[None]:
        """The watchdog holds the lock while it starts a supervisor."""
        return self.processes.lock(waiting_for=WATCHDOG)

    def _remember_encoder(self) -> None:
        remember_encoder(self.settings)
        if line := another_encoder(self.settings):
            self._progress.say(line)

    def _end(self, name: str) -> bool:
        return self.supervisor.shut_down() if name == SUPERVISOR else self.supervisor.end(name)

    def _begin_kafka(self) -> None:
        if not self.settings.runs_kafka:
            return
        node = self.settings.own_broker
        runs = self.processes.running(kafka.NAME) is not None
        if not runs:
            self._progress.say(f"Kafka: starting on {self.settings.bootstrap if node is None else node.address}")
        # With which others one of several was started stays on record while it runs.
        if node is None or not runs:
            self.supervisor.begin([kafka.broker_part(self.settings)])

    def _await_kafka(self) -> None:
        if not self.settings.runs_kafka:
            wait_for_kafka(self.settings.kafka, 20.0)
            return
        self._wait("Kafka", self._kafka_answers, [kafka.NAME], KAFKA_TIMEOUT_S)

    def _kafka_answers(self) -> bool:
        try:
            wait_for_kafka(self.settings.kafka, 0.0, self.settings.kafka_node)
        except OperatorError:
            return False
        return True

    def _create_topics(self) -> None:
        created = ensure_topics(self.settings)
        if created:
            self._progress.say(f"Kafka: created the topics {', '.join(created)}")
        if wanted := self.settings.kafka_replicas:
            _, found = replications(self.settings.kafka, topics_of(self.settings.database_topic))
            for problem in too_few_replicas(found, wanted):
                self._progress.say(f"Kafka: {problem}")

    def _begin_flink(self) -> None:
        if self.supervisor.begin(cluster_parts(self.settings, self.processes)):
            self._progress.say(f"Flink: starting, dashboard on http://127.0.0.1:{self.settings.flink_port}")

    def _await_flink(self) -> None:
        names = cluster_names(self.settings)
        self._wait("Flink's task manager", self._flink_has_slots, names, FLINK_TIMEOUT_S)

    def _flink_has_slots(self) -> bool:
        try:
            with FlinkRest(self._flink) as rest:
                return rest.slots() > 0
        except TransientError:
            return False

    def _begin_watchdog(self) -> float:
        """Starts it, anew where it has failed or given up; what it says from then on (Unix time) counts."""
        state = read_state(self.layout)
        if state.given_up or state.failure:
            self.supervisor.end(WATCHDOG)
        since = time.time()
        self.supervisor.begin([watchdog_part(self.settings)])
        return since

    def _await_job(self, since: float) -> None:
        """Raises `OperatorError` as soon as the watchdog says why the job cannot be submitted."""
        names = [WATCHDOG, *cluster_names(self.settings)]

        def runs() -> bool:
            if job.job_runs(self._flink, stream_jobs(self.settings)):
                return True
            state = read_state(self.layout)
            if state.written_at > since and (state.failure or state.given_up):
                raise OperatorError(state.failure or state.problem)
            return False

        if not runs():
            with self._progress.step("Flink: submitting the streaming job"):
                self._wait("the streaming job's tasks", runs, names, JOB_TIMEOUT_S)

    def _waiting_for_client(self) -> None:
        self._progress.waiting("Flink's client, which plans the job")

    def _cancel_jobs(self) -> None:
        try:
            if job.cancel_jobs(self._flink):
                self._progress.say("streaming job: cancelled; its position is in Kafka")
        except TransientError as error:
            # The processes are about to end anyway, and a replay from the last committed offsets is harmless.
            log.warning("event=job_not_cancelled reason=%s", error)

    def _begin_services(self, shards: int = 0) -> None:
        if started := self.supervisor.begin(services.service_parts(self.settings, shards)):
            self._progress.say(f"services: starting {', '.join(started)}")

    def _await_services(self, shards: int = 0) -> None:
        names = [service.name for service in services.services(self.settings, shards)]
        ready = "the blender to be ready (model loaded, every shard caught up)"
        self._wait(ready, lambda: services.is_ready(self.settings.blender), names, SERVICES_TIMEOUT_S)
        self._progress.say(f"services: ready on {self.settings.blender.url}")

    def _wait(self, what: str, ready: Callable[[], bool], names: list[str], timeout_s: float) -> None:
        wait_until(
            ready,
            what,
            processes=self.processes,
            names=names,
            progress=self._progress,
            timeout_s=timeout_s,
            given_up=self.supervisor.given_up,
        )
