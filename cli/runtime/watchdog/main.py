"""The watchdog's process: `python -m cli.runtime.watchdog`.

It looks once a second, less often while all is well (`rhythm`), and at the processes more often.

What it finds, and what it does:

- the supervisor is dead, or does not answer: starts it anew; the next one adopts what runs;
- Flink has no live job, or one of another layout: submits it, at once when the job manager is a new
  one (while that is coming up), with growing pauses when it fails;
- a task manager is older than the job manager: kills it, see `_end_orphan`;
- the job runs, as Flink says, but a stage with work to do has not moved for
  `stalled_after_s`: kills the task manager, which takes the broken channels
  to the Python workers with it; the supervisor starts it, Flink redeploys (or,
  where that job's task managers are on other machines: cancels the job);
- the task manager gives Flink no slots, or the job manager does not answer,
  for that long: kills it likewise.

After `RESTARTS` of these without any progress in between it says so and
leaves the job alone. Where extraction is a job of its own, each of the two is
minded as if it were alone (`minded`).
"""

from __future__ import annotations

import argparse
import logging
import signal
import threading
import time
from collections.abc import Iterable
from contextlib import suppress
from types import FrameType
from typing import Any

import msgspec

from cli.runtime.flink import job
from cli.runtime.flink.access import FlinkAccess
from cli.runtime.flink.parts import JOB_MANAGER
from cli.runtime.flink.rest import LIVE_STATES, FlinkRest
from cli.runtime.processes import Processes, ProcessRecord
from cli.runtime.supervisor import Supervisor
from cli.runtime.watchdog.living import Living
from cli.runtime.watchdog.minded import MindedJob
from cli.runtime.watchdog.part import NO_SUPERVISOR
from cli.runtime.watchdog.rhythm import Rhythm
from cli.runtime.watchdog.stall import Reading, Stall, Unanswered
from cli.runtime.watchdog.state import Lag, WatchdogState, read_state, write_state
from cli.topics_view import TOPICS, topic_views
from jobs.realtime_index.stream_jobs import ALL_JOBS, CATALOGUE, CHANGES, EXTRACTION, stream_jobs
from schemas.errors import OperatorError, TransientError
from schemas.settings import Settings, load_settings, settings_json
from schemas.topics import EXTRACT_REQUESTS, IMAGE_FEATURES, INDEX_DELTAS, PRODUCT_EVENTS

log = logging.getLogger("cli.runtime.watchdog")

GLANCE_S = 0.25
READ_S = 5.0
ORPHAN_S = 2.0
"""Both are started in the same second; by so much an older task manager was there before."""
RESTARTS = 3
KEPT_LAGS = 60


class Watchdog:
    """One look is `look`, from one thread. Times are of the monotonic clock unless they are written down.

    `supervised`: by a supervisor of ours, which is looked after as well.
    """

    def __init__(self, settings: Settings, *, supervised: bool = True) -> None:
        self._supervised = supervised
        self._settings = settings
        self._layout = settings.layout
        self._processes = Processes(self._layout)
        self._living = Living(self._layout, self._processes)
        self._supervisor = Supervisor(settings, self._layout, self._processes)
        self._job_manager = Unanswered(settings.stalled_after_s)
        self._state = read_state(self._layout)
        self._access = FlinkAccess.of(settings)
        self._flink = FlinkRest(self._access)
        self._minded = [MindedJob(settings, job, self._state.submitted_to) for job in stream_jobs(settings)]
        self._read_at = 0.0
        self._asked_at = 0.0
        self._restarts = self._state.restarts
        self._in_a_row: dict[Stall | Unanswered, int] = {}
        self._lags: list[Lag] = []

    def glance(self) -> bool:
        """Whether every part lives; hastens the supervisor where one has died."""
        all_live = self._living.all_live()
        if self._supervised and not all_live:
            self._supervisor.hasten()
        return all_live

    def look(self) -> bool:
        """Whether nothing keeps the job from running."""
        self._living.look_anew()
        now = time.monotonic()
        if self._supervised:
            self._mind_supervisor(now)
        problem = self._mind_jobs(now)
        self._say(problem)
        return not problem

    def _mind_supervisor(self, now: float) -> None:
        if self._supervisor.running():
            if now - self._asked_at < READ_S:
                return
            self._asked_at = now
            if self._supervisor.answers():
                return
        try:
            with self._processes.lock():
                if self._supervisor.ensure():
                    log.warning("event=supervisor_restarted")
        except OperatorError as error:
            # Another command holds the lock, and is starting or stopping it; or it does not come up: the next look.
            log.warning("event=supervisor_missing problem=%s", error)

    def _mind_jobs(self, now: float) -> str:
        """What keeps them from running; empty when nothing does."""
        manager = self._processes.running(JOB_MANAGER)
        if manager is None:
            self._forget()
            return "the job manager does not run"
        try:
            jobs = self._flink.jobs()
            self._cancel_unknown(jobs)
            problems = [problem for minded in self._minded if (problem := self._mind(minded, jobs, manager, now))]
        except TransientError as error:
            return self._mind_silence(manager, now, error)
        self._answered(self._job_manager, manager.pid)
        return "; ".join(problems)

    def _mind_silence(self, manager: ProcessRecord, now: float, error: TransientError) -> str:
        """The job manager does not answer."""
        self._forget()
        for minded in self._minded:
            if manager.pid != minded.submitted_to and minded.submission.due(now):
                # A new job manager remembers no job: the client plans it while that comes up.
                self._begin_submission(minded, now, manager, to_new_flink=True)
        if self._job_manager.silent(manager.pid, now):
            limit_s = self._settings.stalled_after_s
            reason = f"the job manager has not answered for {limit_s:.0f} s"
            self._restart(JOB_MANAGER, reason, self._job_manager, self._minded)
        failed = [failure for minded in self._minded if (failure := minded.submission.failure())]
        return "; ".join(failed) or f"Flink does not answer: {error.detail}"

    def _mind(self, minded: MindedJob, jobs: list[dict[str, Any]], manager: ProcessRecord, now: float) -> str:
        """What keeps one job from running. Raises `TransientError` where the job manager does not answer."""
        found, further = minded.live(self._flink, jobs)
        slots = minded.slots(self._flink)
        for job_id in further:
            log.error("event=job_doubled_or_of_another_layout cancelled=%s kept=%s", job_id, found and found.id)
            self._flink.cancel(job_id)
        self._mind_slots(minded, slots, now)
        if found is None:
            minded.forget()
            if minded.submission.due(now):
                is_new = manager.pid != minded.submitted_to
                self._begin_submission(minded, now, manager, to_new_flink=is_new)
            return minded.submission.failure() or f"Flink has no live job {minded.job.name}{self._ended(minded)}"
        minded.submitted_to = manager.pid
        if not found.runs:
            minded.forget()
            waits = "" if slots else f": {minded.waits()}"
            return f"{found.running} of {found.tasks} tasks of {minded.job.name} run{waits}"
        minded.submission.runs(now)
        return self._mind_progress(minded, found.id, now)

    def _cancel_unknown(self, jobs: list[dict[str, Any]]) -> None:
        """Ends what was a job of its own before the settings changed: another one has its stages now."""
        unknown = {each.name for each in ALL_JOBS} - {minded.job.name for minded in self._minded}
        for found in jobs:
            if found["name"] in unknown and found["state"] in LIVE_STATES:
                log.warning("event=job_of_another_layout cancelled=%s name=%s", found["jid"], found["name"])
                self._flink.cancel(found["jid"])

    def _ended(self, minded: MindedJob) -> str:
        """What the latest one that failed for good failed with."""
        cause = job.failed_with(self._access, minded.job.name)
        return "" if cause is None else f": the last one failed ({cause})"

    def _begin_submission(self, minded: MindedJob, now: float, manager: ProcessRecord, *, to_new_flink: bool) -> None:
        if to_new_flink:
            self._end_orphan(minded.part, manager)
        minded.submitted_to = manager.pid
        minded.submission.begin(now, to_new_flink)

    def _end_orphan(self, part: str, manager: ProcessRecord) -> None:
        """Kills a task manager that was started for the job manager before this one, for the supervisor to start.

        It would find out by `heartbeat.timeout` alone, 20 s later, since the new
        job manager listens where the old one did; and then end its tasks, which
        nobody waits for any more, all the same.
        """
        worker = self._processes.running(part)
        if worker is None or worker.created > manager.created - ORPHAN_S:
            return
        log.warning("event=task_manager_orphaned part=%s pid=%d next=killed", part, worker.pid)
        with suppress(OperatorError):
            self._processes.signal(part, signal.SIGKILL)

    def _mind_slots(self, minded: MindedJob, slots: int, now: float) -> None:
        manager = self._processes.running(minded.part)
        if manager is None:
            return
        if slots > 0:
            self._answered(minded.silence, manager.pid)
        elif minded.silence.silent(manager.pid, now):
            limit_s = self._settings.stalled_after_s
            self._restart(minded.part, f"it has given Flink no slot for {limit_s:.0f} s", minded.silence, [minded])

    def _answered(self, sign: Unanswered, pid: int) -> None:
        sign.answered(pid)
        self._in_a_row.pop(sign, None)

    def _mind_progress(self, minded: MindedJob, job_id: str, now: float) -> str:
        if now - self._read_at >= READ_S:
            self._read_at = now
            try:
                self._read(now)
            except (TransientError, OperatorError) as error:
                self._forget()
                return f"Kafka: {error}"
        stalled = minded.stalled(time.monotonic())
        if stalled is None:
            return ""
        problem, sign = stalled
        if self._processes.running(minded.part) is None:
            return self._begin_anew(minded, job_id, problem, sign)
        return self._restart(minded.part, problem, sign, [minded])

    def _read(self, now: float) -> None:
        """What every stage has read and written; of a job that does not run it is forgotten at the next look."""
        changes = self._settings.database_topic
        topics = {topic.name: topic for topic in topic_views(self._settings.kafka, changes)}
        if missing := [name for name in TOPICS if name not in topics]:
            raise OperatorError(f"there is no topic {missing[0]}; vitrine start creates it")
        ends = {name: sum(topic.ends) for name, topic in topics.items()}
        events, requests = topics[PRODUCT_EVENTS].lag or 0, topics[EXTRACT_REQUESTS].lag or 0
        readings = {
            CATALOGUE: Reading(events, ends[PRODUCT_EVENTS] - events, ends[INDEX_DELTAS]),
            EXTRACTION: Reading(requests, ends[EXTRACT_REQUESTS] - requests, ends[IMAGE_FEATURES]),
        }
        if changes in topics:
            # What it writes lies among heartbeats and others' events: its commits alone show that it moves.
            behind = topics[changes].lag or 0
            readings[CHANGES] = Reading(behind, ends[changes] - behind, 0)
        for minded in self._minded:
            for stall in minded.see(readings, now):
                self._in_a_row.pop(stall, None)
        self._lags = [*self._lags, Lag(at=time.time(), catalogue=events, extraction=requests)][-KEPT_LAGS:]

    def _begin_anew(self, minded: MindedJob, job_id: str, reason: str, sign: Stall) -> str:
        """Cancels a job whose task managers are on other machines: tasks that do not end take theirs with them."""
        if self._tried_enough(sign):
            return f"{reason}; {RESTARTS} submissions have not helped, and it is left alone now"
        log.error("event=job_cancelled name=%s reason=%s", minded.job.name, reason)
        minded.forget()
        self._flink.cancel(job_id)
        return f"{reason}; it is submitted anew"

    def _restart(self, name: str, reason: str, sign: Stall | Unanswered, jobs: Iterable[MindedJob]) -> str:
        """Kills that process, for the supervisor to start, unless that has not helped before; what to say of it.

        `sign`: what showed that it hangs, and will show that it works again. `jobs`: those that end with it.
        """
        if self._tried_enough(sign):
            return f"{reason}; {RESTARTS} restarts of {name} have not helped, and it is left alone now"
        log.error("event=restarting part=%s time_in_a_row=%d reason=%s", name, self._in_a_row[sign], reason)
        for minded in jobs:
            minded.forget()
        with suppress(OperatorError):
            self._processes.signal(name, signal.SIGKILL)
        return f"{reason}; {name} is restarted"

    def _tried_enough(self, sign: Stall | Unanswered) -> bool:
        """Whether what is done about it has not helped `RESTARTS` times in a row; else one more is counted."""
        times = self._in_a_row.get(sign, 0)
        if times >= RESTARTS:
            return True
        self._in_a_row[sign] = times + 1
        self._restarts = [*self._restarts, time.time()][-KEPT_LAGS:]
        return False

    def _forget(self) -> None:
        for minded in self._minded:
            minded.forget()

    def _say(self, problem: str) -> None:
        """Writes the state when anything but its time has changed, and every `READ_S` in any case."""
        at = self._state.problem_at if problem == self._state.problem else time.time()
        submissions = [minded.submission for minded in self._minded]
        failures = [failure for submission in submissions if (failure := submission.failure())]
        given_up = any(submission.given_up for submission in submissions)
        state = WatchdogState(
            written_at=self._state.written_at,
            submitting=any(submission.under_way for submission in submissions),
            failure="; ".join(failures),
            problem=problem,
            problem_at=at,
            given_up=given_up or max(self._in_a_row.values(), default=0) >= RESTARTS,
            restarts=self._restarts,
            submitted_to=self._minded[0].submitted_to,
            lags=self._lags,
        )
        if state == self._state and time.time() - state.written_at < READ_S:
            return
        if problem != self._state.problem:
            log.info("event=job_state problem=%s", problem or "none")
        self._state = msgspec.structs.replace(state, written_at=time.time())
        write_state(self._layout, self._state)


def main(arguments: list[str] | None = None) -> int:
    parser = argparse.ArgumentParser(prog="python -m cli.runtime.watchdog", description="Keeps the streaming job.")
    parser.add_argument(
        NO_SUPERVISOR, action="store_true", help="somebody else (systemd) starts again what ends: start no supervisor"
    )
    options = parser.parse_args(arguments)
    logging.basicConfig(level=logging.INFO, format="%(asctime)s level=%(levelname)s logger=%(name)s %(message)s")
    logging.getLogger("httpx").setLevel(logging.WARNING)
    settings = load_settings()
    log.info("event=start service=watchdog settings=%s", settings_json(settings))
    stop = threading.Event()

    def end(_number: int, _frame: FrameType | None) -> None:
        stop.set()

    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, end)
    watchdog = Watchdog(settings, supervised=not options.no_supervisor)
    rhythm = Rhythm()
    while not stop.is_set():
        all_live = watchdog.glance()
        now = time.monotonic()
        if rhythm.due(now, all_live):
            rhythm.looked(now, watchdog.look())
        stop.wait(GLANCE_S)
    # A submission that is under way ends with its client, which whoever stops this process sweeps.
    return 0
