"""One look at a running system: processes, topics, lag, job, full index, shards. Everything `vitrine status` shows.

What does not answer is left empty and named in `problems`: status is asked
most when something is wrong.
"""

from __future__ import annotations

import time
from typing import Any

import msgspec

from cli import health
from cli.runtime.flink.access import FlinkAccess
from cli.runtime.flink.rest import FlinkRest
from cli.runtime.services import BLENDER, is_ready
from cli.runtime.supervisor import NAME as SUPERVISOR
from cli.runtime.system import System
from cli.runtime.watchdog.state import NAME as WATCHDOG
from cli.runtime.watchdog.state import read_state
from cli.topics_view import TopicView, topic_views, topics_of
from generations.broker import broker_of
from generations.folder import Generations
from generations.publish import last_report
from jobs.realtime_index.stream_jobs import EXTRACTION_JOB, STREAM_JOB, StreamJob, stream_jobs
from messaging.producer import now_ms
from messaging.replication import INTERNAL, replicas_behind, replications, too_few_replicas
from schemas.access.objects import FullIndexes
from schemas.access.tier import TierAccess
from schemas.errors import CorruptError, OperatorError, TransientError
from schemas.full_index.generation import LIVE
from schemas.search_pb2 import ShardStatus
from schemas.settings import Settings
from schemas.topics import DEAD_LETTERS


class JobView(msgspec.Struct, frozen=True, kw_only=True):
    """The streaming job as Flink has it. `failure`: the latest one's cause, which it may have outlived."""

    id: str
    state: str
    running_tasks: int
    tasks: int
    checkpoints_completed: int
    checkpoints_failed: int
    failure: str | None = None


class ShardView(msgspec.Struct, frozen=True, kw_only=True):
    """One replica of one shard of a generation, which has `shards` of them.

    `digest` in hex: replicas (and a rebuilt shard) with equal images have
    equal ones. `serving`: queries go to this generation. `failed`: it cannot
    load it, or has stopped following it; `error` says why, or what it waits for.
    `refused`: images that extraction gave up, not among `pending`.
    """

    shard: int
    replica: int
    ready: bool
    images: int
    searchable: int
    pending: int
    digest: str
    watermark_ms: int
    lag: int
    index: str
    memory_bytes: int
    error: str = ""
    generation: str = LIVE
    shards: int = 0
    serving: bool = True
    failed: bool = False
    refused: int = 0


class GenerationState(msgspec.Struct, frozen=True, kw_only=True):
    """The index as a whole. `serving`: by the broker, empty when it does not answer; `alias`: what should serve.

    `beside`: what the alias has held besides. `published_ms`: of the last publication; 0: there was none.
    """

    serving: str
    alias: str
    shards: int = 0
    beside: list[str] = []
    published_ms: int = 0
    published: str = ""
    passed: bool = True


class SystemStatus(msgspec.Struct, frozen=True, kw_only=True):
    """`shards`: of every generation that a searcher holds, the serving one first of each slot.

    `extraction_job`: where extraction is one of its own.
    `extraction_backlog`: images that are valid and wait for their vector, over all shards of the one that serves.
    """

    home: str
    processes: dict[str, int]
    topics: list[TopicView]
    job: JobView | None
    shards: list[ShardView]
    extraction_backlog: int | None
    dead_letters: int | None
    problems: list[str]
    generation: GenerationState | None = None
    extraction_job: JobView | None = None


def inspect(settings: Settings) -> SystemStatus:
    """Asks every part once. Never raises for a part that is away."""
    system = System(settings)
    problems = part_problems(system)
    topics: list[TopicView] = []
    jobs: dict[StreamJob, JobView] = {}
    try:
        topics = topic_views(settings.kafka, settings.database_topic)
        problems += replica_problems(settings)
    except (TransientError, OperatorError) as error:
        problems.append(f"Kafka: {error}")
    try:
        jobs, missing = job_views(settings)
        problems += missing
    except TransientError as error:
        problems.append(f"Flink: {error}")
    held: list[ShardView] = []
    try:
        held = shard_views(settings.tier, all_generations=True)
    except TransientError as error:
        problems.append(f"broker: {error}")
    shards = _serving(held)
    problems += searcher_problems(held)
    problems += stale_problems(shards, settings.stale_after_s, now_ms())
    generation, wrong = generation_state(settings.layout.generations, shards)
    problems += wrong
    letters = [topic.records for topic in topics if topic.name == DEAD_LETTERS]
    return SystemStatus(
        home=settings.home,
        processes=system.running(),
        topics=topics,
        job=jobs.get(STREAM_JOB),
        extraction_job=jobs.get(EXTRACTION_JOB),
        shards=held,
        extraction_backlog=sum(view.pending for view in first_replicas(shards)) if shards else None,
        dead_letters=letters[0] if letters else None,
        problems=problems,
        generation=generation,
    )


def part_problems(system: System) -> list[str]:
    """What is wrong with the processes that `vitrine start` has started, and what the watchdog says."""
    names = system.expected()
    records = {name: system.processes.running(name) for name in (*names, SUPERVISOR)}
    try:
        states = system.supervisor.states()
    except TransientError:
        states = None
    now_s = time.time()
    problems = health.process_problems(names, records, states, now_s)
    if WATCHDOG in names:
        problems += health.watchdog_problems(read_state(system.layout), now_s)
    if records.get(BLENDER) is not None and not is_ready(system.settings.blender):
        problems.append(f"{BLENDER}: is not ready: {system.settings.blender.url}/readyz says why")
    return problems


def replica_problems(settings: Settings) -> list[str]:
    """Topics with fewer replicas than the settings say, and replicas that are not up to date."""
    _, found = replications(settings.kafka, [*topics_of(settings.database_topic), *INTERNAL])
    wrong = [*too_few_replicas(found, settings.kafka_replicas), *replicas_behind(found)]
    return [f"Kafka: {problem}" for problem in wrong]


def searcher_problems(held: list[ShardView]) -> list[str]:
    """What is wrong with searchers. One that loads a generation which does not serve yet is not."""
    return [
        f"searcher {view.shard}-{view.replica}"
        + (f", generation {view.generation}" if view.generation not in ("", LIVE) else "")
        + f": {view.error or 'is not ready'}"
        for view in held
        if (view.error and (view.serving or view.failed or not view.generation)) or (view.serving and not view.ready)
    ]


def stale_problems(shards: list[ShardView], limit_s: float, at_ms: int) -> list[str]:
    """Searchers that are behind the shop's events; one line where all of them are. `shards`: those that serve."""
    answering = [view for view in shards if view.ready and not view.error]
    behind = {
        view: found
        for view in answering
        if (found := health.stale(view.watermark_ms, at_ms, limit_s, f"searcher {view.shard}-{view.replica}"))
    }
    if behind and len(behind) == len(answering):
        return health.stale(min(view.watermark_ms for view in answering), at_ms, limit_s, "index")
    return [line for found in behind.values() for line in found]


def generation_state(place: FullIndexes, shards: list[ShardView]) -> tuple[GenerationState, list[str]]:
    """What should serve and how the last publication went, and what is wrong about it. `shards`: those that serve."""
    problems: list[str] = []
    generations = Generations(place)
    alias = None
    try:
        alias = generations.alias()
    except (CorruptError, OSError) as error:
        problems.append(f"alias: {error}")
    report = None
    try:
        report = last_report(place)
    except (CorruptError, OSError) as error:
        problems.append(f"publish: {error}")
    if report is not None and not report.passed:
        problems.append(
            f"publish: {report.name} was refused: {report.why}; mend it and build anew, or vitrine publish "
            f"{report.name}; this stands until a publication passes"
        )
    serving = shards[0].generation if shards else ""
    state = GenerationState(
        serving=serving,
        alias=LIVE if alias is None else alias.serving,
        shards=shards[0].shards if shards else 0,
        beside=[] if alias is None else alias.beside,
        published_ms=0 if report is None else report.finished_ms,
        published="" if report is None else report.name,
        passed=report is None or report.passed,
    )
    return state, problems


def job_views(settings: Settings) -> tuple[dict[StreamJob, JobView], list[str]]:
    """The jobs of the stream that Flink has, and what is wrong with those that it should have."""
    views: dict[StreamJob, JobView] = {}
    problems: list[str] = []
    for job in stream_jobs(settings):
        what = "job" if job == STREAM_JOB else f"{job.key} job"
        view = job_view(FlinkAccess.of(settings), job)
        if view is None:
            problems.append(f"{what}: Flink has none; the watchdog submits it, and vitrine start starts the watchdog")
            continue
        views[job] = view
        problems += health.job_problems(view.state, view.running_tasks, view.tasks, view.failure, what)
    return views, problems


def job_view(access: FlinkAccess, job: StreamJob = STREAM_JOB) -> JobView | None:
    """The live job, or the latest that ended; None when Flink knows none."""
    with FlinkRest(access) as flink:
        known: list[dict[str, Any]] = [each for each in flink.jobs() if each["name"] == job.name]
        if not known:
            return None
        found = flink.live_job(job.name) or max(known, key=lambda job: int(job["start-time"]))
        running, tasks = flink.running_tasks(found["jid"])
        counts = flink.checkpoints(found["jid"])
        return JobView(
            id=found["jid"],
            state=found["state"],
            running_tasks=running,
            tasks=tasks,
            checkpoints_completed=int(counts["completed"]),
            checkpoints_failed=int(counts["failed"]),
            failure=flink.failure(found["jid"]),
        )


def shard_views(tier: TierAccess, timeout_s: float = 5.0, *, all_generations: bool = False) -> list[ShardView]:
    """Every replica of every shard of the generation that serves, as the broker sees them; or of all that are held.

    Sorted by shard and replica. Raises `TransientError` when the broker does not answer.
    """
    with broker_of(tier) as broker:
        entries: list[ShardStatus] = list(broker.status(timeout_s).shards)
    views = [_shard_view(entry) for entry in entries if all_generations or entry.serving]
    return sorted(views, key=lambda view: (view.shard, view.replica, not view.serving, view.generation))


def first_replicas(views: list[ShardView]) -> list[ShardView]:
    """One answering replica per shard of the serving generation, for sums over the whole index."""
    chosen: dict[int, ShardView] = {}
    for view in views:
        if view.serving and not view.error:
            chosen.setdefault(view.shard, view)
    return list(chosen.values())


def is_whole(views: list[ShardView]) -> bool:
    """Whether `views`, one replica of each shard at most, are all shards of their generation."""
    return bool(views) and len(views) == views[0].shards


def _serving(views: list[ShardView]) -> list[ShardView]:
    return [view for view in views if view.serving]


def _shard_view(status: ShardStatus) -> ShardView:
    return ShardView(
        shard=status.shard,
        replica=status.replica,
        ready=status.ready,
        images=status.images,
        searchable=status.searchable,
        pending=status.pending,
        refused=status.refused_images,
        digest=status.digest.hex(),
        watermark_ms=status.watermark_ms,
        lag=status.lag,
        index=status.index_kind,
        memory_bytes=status.memory_bytes,
        error=status.error,
        generation=status.generation,
        shards=status.shards,
        serving=status.serving,
        failed=status.failed,
    )
