"""The watchdog's process: `python -m cli.runtime.watchdog`.

It looks once a second, less often while all is well (`rhythm`), and at the processes more often.

What it finds, and what it does:

- the supervisor is dead, or does not answer: starts it anew; the next one adopts what runs;
- Flink has no live job: submits it, at once when the job manager is a new
  one (while that is coming up), with growing pauses when it fails;
- a task manager is older than the job manager: kills it, see `_end_orphan`;
- the job runs, as Flink says, but a stage with work to do has not moved for
  `stalled_after_s`: kills the task manager, which takes the broken channels
  to the Python workers with it; the supervisor starts it, Flink redeploys;
- the task manager gives Flink no slots, or the job manager does not answer,
  for that long: kills it likewise.

After `RESTARTS` of these without any progress in between it says so and
leaves the job alone.
"""

from __future__ import annotations

import argparse
import logging
import signal
import threading
import time
from contextlib import suppress
from types import FrameType
from typing import Any

import msgspec

from cli.runtime.flink import job
from cli.runtime.flink.access import FlinkAccess
from cli.runtime.flink.parts import JOB_MANAGER, TASK_MANAGER
from cli.runtime.flink.rest import LIVE_STATES, FlinkRest
from cli.runtime.processes import Processes, ProcessRecord
from cli.runtime.supervisor import Supervisor
from cli.runtime.watchdog.living import Living
from cli.runtime.watchdog.part import NO_SUPERVISOR
from cli.runtime.watchdog.rhythm import Rhythm
from cli.runtime.watchdog.stall import EXTRACTION_PATIENCE, Reading, Stall, Unanswered
from cli.runtime.watchdog.state import Lag, WatchdogState, read_state, write_state
from cli.runtime.watchdog.submission import Submission
from cli.topics_view import TOPICS, topic_views
from jobs.realtime_index import JOB_NAME
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
        self._submission = Submission(self._submit)
        self._catalogue = Stall(settings.stalled_after_s)
        self._extraction = Stall(settings.stalled_after_s * EXTRACTION_PATIENCE)
        self._changes = Stall(settings.stalled_after_s * EXTRACTION_PATIENCE)
        self._job_manager = Unanswered(settings.stalled_after_s)
        self._task_manager = Unanswered(settings.stalled_after_s)
        self._state = read_state(self._layout)
        self._access = FlinkAccess.of(settings)
        self._flink = FlinkRest(self._access)
        self._submitted_to = self._state.submitted_to
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
        problem = self._mind_job(now)
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

    def _mind_job(self, now: float) -> str:
        """What keeps the job from running; empty when nothing does."""
        manager = self._processes.running(JOB_MANAGER)
        if manager is None:
            self._forget()
            return "the job manager does not run"
        is_new = manager.pid != self._submitted_to
        try:
            found = self._the_job(self._flink)
            slots = self._flink.slots()
            running, tasks = (0, 0) if found is None else self._flink.running_tasks(found["jid"])
        except TransientError as error:
            self._forget()
            if is_new and self._submission.due(now):
                # A new job manager remembers no job: the client plans it while that comes up.
                self._begin_submission(now, manager, to_new_flink=True)
            if self._job_manager.silent(manager.pid, now):
                limit_s = self._settings.stalled_after_s
                self._restart(JOB_MANAGER, f"the job manager has not answered for {limit_s:.0f} s", self._job_manager)
            return self._submission.failure() or f"Flink does not answer: {error.detail}"
        self._answered(self._job_manager, manager.pid)
        self._mind_slots(slots, now)
        if found is None:
            self._forget()
            if self._submission.due(now):
                self._begin_submission(now, manager, to_new_flink=is_new)
            return self._submission.failure() or f"Flink has no live job{self._ended()}"
        self._submitted_to = manager.pid
        if tasks == 0 or running < tasks:
            self._forget()
            return f"{running} of {tasks} tasks of the job run"
        self._submission.runs(now)
        return self._mind_progress(now)

    def _the_job(self, flink: FlinkRest) -> dict[str, Any] | None:
        """The live job. Of several, which two submitters at once would make, the oldest stays."""
        live = [found for found in flink.jobs() if found["name"] == JOB_NAME and found["state"] in LIVE_STATES]
        live.sort(key=lambda found: int(found["start-time"]))
        for further in live[1:]:
            log.error("event=job_doubled cancelled=%s kept=%s", further["jid"], live[0]["jid"])
            flink.cancel(further["jid"])
        return live[0] if live else None

    def _ended(self) -> str:
        """What the latest job that failed for good failed with."""
        try:
            cause = job.failed_with(self._access)
        except TransientError:
            return ""
        return "" if cause is None else f": the last one failed ({cause})"

    def _begin_submission(self, now: float, manager: ProcessRecord, *, to_new_flink: bool) -> None:
        if to_new_flink:
            self._end_orphan(manager)
        self._submitted_to = manager.pid
        self._submission.begin(now, to_new_flink)

    def _end_orphan(self, manager: ProcessRecord) -> None:
        """Kills a task manager that was started for the job manager before this one, for the supervisor to start.

        It would find out by `heartbeat.timeout` alone, 20 s later, since the new
        job manager listens where the old one did; and then end its tasks, which
        nobody waits for any more, all the same.
        """
        worker = self._processes.running(TASK_MANAGER)
        if worker is None or worker.created > manager.created - ORPHAN_S:
            return
        log.warning("event=task_manager_orphaned pid=%d next=killed", worker.pid)
        with suppress(OperatorError):
            self._processes.signal(TASK_MANAGER, signal.SIGKILL)

    def _mind_slots(self, slots: int, now: float) -> None:
        manager = self._processes.running(TASK_MANAGER)
        if manager is None:
            return
        if slots > 0:
            self._answered(self._task_manager, manager.pid)
        elif self._task_manager.silent(manager.pid, now):
            limit_s = self._settings.stalled_after_s
            self._restart(TASK_MANAGER, f"it has given Flink no slot for {limit_s:.0f} s", self._task_manager)

    def _answered(self, sign: Unanswered, pid: int) -> None:
        sign.answered(pid)
        self._in_a_row.pop(sign, None)

    def _mind_progress(self, now: float) -> str:
        if now - self._read_at >= READ_S:
            self._read_at = now
            try:
                self._read(now)
            except (TransientError, OperatorError) as error:
                self._forget()
                return f"Kafka: {error}"
        stages = (("catalogue", self._catalogue), ("extraction", self._extraction), ("changes", self._changes))
        for name, stall in stages:
            if (still_s := stall.stalled_s(time.monotonic())) > 0:
                problem = f"the {name} stage has work and has not moved for {still_s:.0f} s, though Flink says RUNNING"
                return self._restart(TASK_MANAGER, problem, stall)
        return ""

    def _read(self, now: float) -> None:
        changes = self._settings.database_topic
        topics = {topic.name: topic for topic in topic_views(self._settings.kafka, changes)}
        if missing := [name for name in TOPICS if name not in topics]:
            raise OperatorError(f"there is no topic {missing[0]}; vitrine start creates it")
        ends = {name: sum(topic.ends) for name, topic in topics.items()}
        events, requests = topics[PRODUCT_EVENTS].lag or 0, topics[EXTRACT_REQUESTS].lag or 0
        readings = [
            (self._catalogue, Reading(events, ends[PRODUCT_EVENTS] - events, ends[INDEX_DELTAS])),
            (self._extraction, Reading(requests, ends[EXTRACT_REQUESTS] - requests, ends[IMAGE_FEATURES])),
        ]
        if changes in topics:
            # What it writes lies among heartbeats and others' events: its commits alone show that it moves.
            behind = topics[changes].lag or 0
            readings.append((self._changes, Reading(behind, ends[changes] - behind, 0)))
        for stall, reading in readings:
            if stall.see(reading, now):
                self._in_a_row.pop(stall, None)
        self._lags = [*self._lags, Lag(at=time.time(), catalogue=events, extraction=requests)][-KEPT_LAGS:]

    def _restart(self, name: str, reason: str, sign: Stall | Unanswered) -> str:
        """Kills that process, for the supervisor to start, unless that has not helped before; what to say of it.

        `sign`: what showed that it hangs, and will show that it works again.
        """
        times = self._in_a_row.get(sign, 0)
        if times >= RESTARTS:
            return f"{reason}; {RESTARTS} restarts of {name} have not helped, and it is left alone now"
        self._in_a_row[sign] = times + 1
        self._restarts = [*self._restarts, time.time()][-KEPT_LAGS:]
        log.error("event=restarting part=%s time_in_a_row=%d reason=%s", name, times + 1, reason)
        self._forget()
        with suppress(OperatorError):
            self._processes.signal(name, signal.SIGKILL)
        return f"{reason}; {name} is restarted"

    def _forget(self) -> None:
        self._catalogue.forget()
        self._extraction.forget()
        self._changes.forget()

    def _submit(self, to_new_flink: bool) -> None:
        job.submit_job(self._settings, to_new_flink=to_new_flink)

    def _say(self, problem: str) -> None:
        """Writes the state when anything but its time has changed, and every `READ_S` in any case."""
        at = self._state.problem_at if problem == self._state.problem else time.time()
        state = WatchdogState(
            written_at=self._state.written_at,
            submitting=self._submission.under_way,
            failure=self._submission.failure() or "",
            problem=problem,
            problem_at=at,
            given_up=self._submission.given_up or max(self._in_a_row.values(), default=0) >= RESTARTS,
            restarts=self._restarts,
            submitted_to=self._submitted_to,
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
