"""One job of the stream as the watchdog minds it: how it is submitted, what shows that it moves, who takes it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from cli.runtime.flink import job as flink_job
from cli.runtime.flink.parts import manager_of
from cli.runtime.flink.rest import LIVE_STATES, FlinkRest, tasks_of
from cli.runtime.watchdog.stall import EXTRACTION_PATIENCE, Reading, Stall, Unanswered
from cli.runtime.watchdog.submission import Submission
from jobs.realtime_index.stream_jobs import CATALOGUE, EXTRACTION_JOB, StreamJob, carried_stages
from schemas.settings import Settings


@dataclass(frozen=True, slots=True)
class Found:
    """A live job. `running`: of its `tasks`; `stages`: those that it was planned with."""

    id: str
    running: int
    tasks: int
    stages: tuple[str, ...]

    @classmethod
    def of(cls, details: dict[str, Any]) -> Found:
        """From what Flink tells of it (`FlinkRest.job`)."""
        names = " ".join(vertex["name"] for vertex in details["vertices"])
        return cls(details["jid"], *tasks_of(details), carried_stages(names))

    @property
    def runs(self) -> bool:
        return 0 < self.tasks == self.running

    def fits(self, stages: Sequence[str]) -> bool:
        """Whether it has these and no others; of one that Flink is still initializing nothing is known."""
        return self.tasks == 0 or set(self.stages) == set(stages)


class MindedJob:
    """Used from the watchdog's thread alone. Times are of its monotonic clock.

    `submitted_to`: process id of the job manager that has, or had, the job.
    `part`: the task manager that takes it, where this machine has one; `silence`: that this one gives no slots.
    """

    def __init__(self, settings: Settings, job: StreamJob, submitted_to: int | None) -> None:
        self._settings = settings
        self.job = job
        self.part = manager_of(job)
        self.submitted_to = submitted_to
        self.submission = Submission(self._submit)
        limit_s = settings.stalled_after_s
        self.stalls = {
            stage: Stall(limit_s if stage == CATALOGUE else limit_s * EXTRACTION_PATIENCE)
            for stage in job.stages(settings)
        }
        self.silence = Unanswered(limit_s)

    def live(self, flink: FlinkRest, jobs: list[dict[str, Any]]) -> tuple[Found | None, list[str]]:
        """The live one of `jobs`, and the ids of those that are to be cancelled.

        Of several, which two submitters at once would make, the oldest stays. One that was planned for another
        layout, with stages that are another job's now or without some that are this one's, does not.
        """
        live = [each for each in jobs if each["name"] == self.job.name and each["state"] in LIVE_STATES]
        live.sort(key=lambda each: int(each["start-time"]))
        kept: Found | None = None
        further: list[str] = []
        for each in live:
            found = Found.of(flink.job(each["jid"]))
            if kept is None and found.fits(self.job.stages(self._settings)):
                kept = found
            else:
                further.append(found.id)
        return kept, further

    def slots(self, flink: FlinkRest) -> int:
        """Slots that it may have."""
        return flink.slots_for(self.job.key) if self._settings.extraction_apart else flink.slots()

    def waits(self) -> str:
        """What to say where there are none."""
        if self.job == EXTRACTION_JOB:
            return f"no task manager takes extraction, and new pictures wait: start {self.part} on its machine"
        return f"no task manager takes the streaming job: start {self.part}"

    def see(self, readings: Mapping[str, Reading], now: float) -> list[Stall]:
        """Those of its stages that have completed a checkpoint since the readings before."""
        return [stall for stage, stall in self.stalls.items() if stage in readings and stall.see(readings[stage], now)]

    def stalled(self, now: float) -> tuple[str, Stall] | None:
        """What to say of a stage that stands still with work to do, and its sign."""
        for stage, stall in self.stalls.items():
            if (still_s := stall.stalled_s(now)) > 0:
                problem = f"the {stage} stage has work and has not moved for {still_s:.0f} s, though Flink says RUNNING"
                return problem, stall
        return None

    def forget(self) -> None:
        """The job does not run, or nothing can be told: what was seen says nothing about what comes."""
        for stall in self.stalls.values():
            stall.forget()

    def _submit(self, to_new_flink: bool) -> None:
        flink_job.submit_job(self._settings, job=self.job, to_new_flink=to_new_flink)
