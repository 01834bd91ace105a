"""Show topics, lag, the streaming job, the full index that serves, shards, the backlog of extraction.

Exit code 0 when everything answers, runs and is fresh; otherwise 1, and each problem is named with its part.
"""

from __future__ import annotations

import argparse

import msgspec

from cli.inspection import GenerationState, SystemStatus, inspect
from cli.tables import moment, table
from schemas.full_index.generation import LIVE
from schemas.settings import load_settings

NAME = "status"


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--json", action="store_true", help="one JSON object instead of tables")


def run(arguments: argparse.Namespace) -> int:
    status = inspect(load_settings())
    if arguments.json:
        print(msgspec.json.format(msgspec.json.encode(status)).decode())
    else:
        print(as_text(status))
    return 1 if status.problems else 0


def as_text(status: SystemStatus) -> str:
    """The status for a person."""
    parts = [f"home {status.home}"]
    if status.processes:
        parts.append(table(("process", "pid"), [(name, str(pid)) for name, pid in status.processes.items()]))
    if status.topics:
        rows = [
            (topic.name, str(topic.partitions), str(topic.records), "-" if topic.lag is None else str(topic.lag))
            for topic in status.topics
        ]
        parts.append(table(("topic", "partitions", "records", "lag"), rows))
    for what, job in (("job", status.job), ("extraction job", status.extraction_job)):
        if job is None:
            continue
        parts.append(
            f"{what} {job.state}, {job.running_tasks} of {job.tasks} tasks run, "
            f"{job.checkpoints_completed} checkpoints" + (f", latest failure: {job.failure}" if job.failure else "")
        )
    if (generation := status.generation) is not None:
        parts.append(_generation_line(generation))
    if status.shards:
        shards = [
            (
                f"{view.shard}-{view.replica}",
                view.generation + (" (serves)" if view.serving else ""),
                "ready" if view.ready else "not ready",
                str(view.searchable),
                str(view.pending),
                str(view.refused),
                str(view.lag),
                moment(view.watermark_ms),
                view.index,
                view.digest[:12],
            )
            for view in status.shards
        ]
        names = (
            "shard",
            "generation",
            "state",
            "searchable",
            "pending",
            "refused",
            "lag",
            "watermark",
            "index",
            "digest",
        )
        parts.append(table(names, shards))
    if status.extraction_backlog is not None:
        parts.append(f"{status.extraction_backlog} images wait for their vector, {status.dead_letters} dead letters")
    parts += [f"problem: {problem}" for problem in status.problems]
    return "\n\n".join(parts)


def _generation_line(state: GenerationState) -> str:
    """Which index serves, what else is held, and how the last publication went."""
    line = f"index: {state.serving or 'nothing'} serves" + (f", {state.shards} shards" if state.shards else "")
    if state.serving and state.alias != state.serving:
        line += f"; the alias names {state.alias}, which is not ready"
    if state.beside:
        line += f"; beside it {', '.join(state.beside)}"
    if state.published:
        said = "passed" if state.passed else "was refused"
        line += f"; last publication {moment(state.published_ms)}, {state.published} {said}"
    elif state.serving == LIVE:
        line += " (no full index yet: vitrine build)"
    return line
