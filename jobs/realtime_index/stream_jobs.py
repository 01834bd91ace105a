"""Which jobs the stream runs as: one by default; two where extraction has machines of its own.

Two, and not two slot sharing groups of one job: a checkpoint needs every task
of its job, so that without a machine for extraction no position of the
catalogue would be committed either (docs/adr/0068-extraction-on-machines-of-its-own.md).
Knows no Flink.
"""

from __future__ import annotations

from dataclasses import dataclass

from schemas.settings import Settings

CATALOGUE = "catalogue"
EXTRACTION = "extraction"
CHANGES = "changes"
STAGES = (CATALOGUE, EXTRACTION, CHANGES)


@dataclass(frozen=True, slots=True)
class StreamJob:
    """`key`: what commands call it by, and what its task managers offer; `name`: what Flink shows."""

    key: str
    name: str

    def stages(self, settings: Settings) -> tuple[str, ...]:
        """Those that this job has, each a region of its own."""
        apart = settings.extraction_apart
        if self == EXTRACTION_JOB:
            return (EXTRACTION,) if apart else ()
        shared = () if apart else (EXTRACTION,)
        return (CATALOGUE, *shared, *((CHANGES,) if settings.database_topic else ()))

    def parallelism(self, settings: Settings) -> int:
        """Subtasks of each of its stages."""
        own = settings.extraction_parallelism if self == EXTRACTION_JOB else 0
        return own or settings.parallelism


STREAM_JOB = StreamJob("stream", "vitrine-realtime-index")
EXTRACTION_JOB = StreamJob("extraction", "vitrine-extraction")
ALL_JOBS = (STREAM_JOB, EXTRACTION_JOB)


def stream_jobs(settings: Settings) -> tuple[StreamJob, ...]:
    """Those that are to run, in the order in which they are submitted."""
    return tuple(job for job in ALL_JOBS if job.stages(settings))


def carried_stages(tasks: str) -> tuple[str, ...]:
    """The stages of a job, told by its tasks' names as Flink shows them: each has its source's in it."""
    return tuple(stage for stage in STAGES if f"{stage}_source" in tasks)
