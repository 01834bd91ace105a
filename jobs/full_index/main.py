"""Entry of the batch jobs: `python -m jobs.full_index COMMAND` or `flink run --python jobs/full_index/main.py COMMAND`.

Exit codes: 0 the system is as the log says (now), or the full index is built; 1 it is not; 2 the set-up is wrong.
"""

from __future__ import annotations

import argparse
import logging
import sys
from collections.abc import Sequence
from datetime import datetime
from functools import partial

from pyflink.common import Configuration
from pyflink.datastream import StreamExecutionEnvironment

from jobs.full_index.build.arguments import add_build_arguments, build_options
from jobs.full_index.build.options import BuildOptions
from jobs.full_index.build.run import Build
from jobs.full_index.replay.arguments import add_replay_arguments
from jobs.full_index.replay.position import ReplayFolder
from jobs.full_index.replay.run import Replay, ReplayOptions
from jobs.pipeline.extraction.extractors import configured
from jobs.pipeline.flink.bounded import SETTINGS
from jobs.pipeline.flink.loading import WORKER_PYTHON
from jobs.pipeline.flink.mini_cluster import MINI_CLUSTER, workers_in_processes
from messaging.admin import offsets_at, wait_for_kafka
from schemas.access.kafka import Kafka
from schemas.errors import OperatorError, VitrineError
from schemas.settings import Settings, load_settings, settings_json
from schemas.topics import PRODUCT_EVENTS

log = logging.getLogger("jobs.full_index")


def batch_environment(mini_cluster: bool, parallelism: int) -> StreamExecutionEnvironment:
    """An environment for one bounded job, on a Flink of this process (`mini_cluster`) or on the client's.

    `parallelism`: where it is not the streaming job's, which the stores' owners are spread by.
    """
    workers_in_processes()
    values = {
        **SETTINGS,
        "python.execution-mode": "process",
        "python.executable": str(WORKER_PYTHON),
        "python.fn-execution.memory.managed": "false",
        "parallelism.default": str(parallelism),
        # A source must not be spread wider than the stores' owners may be.
        "execution.batch.adaptive.auto-parallelism.enabled": "false",
        "restart-strategy.type": "fixed-delay",
        "restart-strategy.fixed-delay.attempts": "2",
        "restart-strategy.fixed-delay.delay": "1 s",
        "execution.shutdown-on-attached-exit": "true",
    }
    if mini_cluster:
        values |= MINI_CLUSTER
    config = Configuration()
    for name, value in values.items():
        config.set_string(name, value)
    return StreamExecutionEnvironment.get_execution_environment(config)


def run_replay(settings: Settings, options: ReplayOptions, mini_cluster: bool) -> int:
    """The whole replay; its report is in `replay/report.json` of the home."""
    extractors = configured(settings)
    log.info("event=job_start name=replay extractors=%s settings=%s",
             ",".join(spec.extractor_id for spec in extractors), settings_json(settings))  # fmt: skip
    with ReplayFolder(settings.layout.replay).lock():
        environment = partial(batch_environment, mini_cluster, settings.parallelism)
        report = Replay(settings, options, extractors, environment).execute()
    return 1 if report.left_wrong else 0


def run_build(settings: Settings, options: BuildOptions, mini_cluster: bool) -> int:
    """The whole build, without its publication; the generation's name is in `build/latest.json` of the home."""
    log.info("event=job_start name=build options=%s settings=%s", options, settings_json(settings))
    Build(settings, options, partial(batch_environment, mini_cluster)).execute()
    return 0


def parse_arguments(argv: Sequence[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m jobs.full_index", description="Vitrine's batch jobs.")
    commands = parser.add_subparsers(dest="command", required=True)
    replay = commands.add_parser("replay", help="compare with the log, heal, try again what failed")
    add_replay_arguments(replay)
    build = commands.add_parser("build", help="build a full index from the stores, as a generation")
    add_build_arguments(build)
    for command in (replay, build):
        command.add_argument(
            "--mini-cluster", action="store_true", help="run on a Flink of this process, for as long as the job takes"
        )
    return parser.parse_args(argv)


def replay_options(settings: Settings, arguments: argparse.Namespace) -> ReplayOptions:
    """Raises `OperatorError` for a WHERE that is neither offsets nor a time."""
    return ReplayOptions(
        from_log=arguments.from_log,
        begins=_offsets(settings.kafka, arguments.begin),
        ends=_offsets(settings.kafka, arguments.end),
        check_only=arguments.check,
        sample=max(0, arguments.sample),
        wait_s=max(0.0, arguments.wait),
    )


def _offsets(kafka: Kafka, where: str | None) -> list[int] | None:
    if where is None:
        return None
    if all(part.isdigit() for part in where.split(",")):
        return [int(part) for part in where.split(",")]
    try:
        moment = datetime.fromisoformat(where)
    except ValueError as error:
        raise OperatorError(
            f"{where!r} is neither offsets (one a partition: 12,40) nor a time (2026-01-31T00:00Z)"
        ) from error
    return offsets_at(kafka, PRODUCT_EVENTS, int(moment.timestamp() * 1000))


def main(argv: Sequence[str] | None = None) -> int:
    arguments = parse_arguments(argv)
    logging.basicConfig(level=logging.INFO, format="%(asctime)s %(levelname)s %(name)s %(message)s")
    try:
        settings = load_settings()
        wait_for_kafka(settings.kafka)
        if arguments.command == "build":
            return run_build(settings, build_options(arguments), arguments.mini_cluster)
        return run_replay(settings, replay_options(settings, arguments), arguments.mini_cluster)
    except OperatorError as error:
        print(f"vitrine: {error}", file=sys.stderr)
        return 2
    except VitrineError as error:
        print(f"vitrine: {error}", file=sys.stderr)
        return 1


if __name__ == "__main__":
    sys.exit(main())
