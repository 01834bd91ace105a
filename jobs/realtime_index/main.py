"""Entry of the streaming job: `python -m jobs.realtime_index` or `flink run -py jobs/realtime_index/main.py`."""

from __future__ import annotations

import argparse
import logging
import os
import sys
from collections.abc import Sequence
from pathlib import Path

from py4j.protocol import Py4JError
from pyflink.common import Configuration
from pyflink.datastream import StreamExecutionEnvironment
from pyflink.java_gateway import get_gateway
from pyflink.table import StreamTableEnvironment

from jobs.pipeline.extraction.extractors import configured, warn_of_foreign_serving
from jobs.pipeline.flink.loading import WORKER_PYTHON
from jobs.pipeline.flink.mini_cluster import MINI_CLUSTER, workers_in_processes
from jobs.realtime_index.kept_plan import keep
from jobs.realtime_index.pipeline import build
from jobs.realtime_index.placement import place
from jobs.realtime_index.preparation import prepare
from jobs.realtime_index.stream_jobs import STREAM_JOB, StreamJob, stream_jobs
from schemas.errors import CorruptError, OperatorError, TransientError
from schemas.settings import Settings, load_settings, settings_json
from tracing.opening import check_tracing

log = logging.getLogger("jobs.realtime_index")


def configuration(settings: Settings, job: StreamJob, connector: str | None) -> Configuration:
    """Flink's settings of this job; the cluster's own configuration holds memory, ports and reporters.

    Process mode, because thread mode hangs with rocksdict. `connector`: the
    Kafka connector's jar, for a mini-cluster; under `flink run` it comes by
    `--jarfile`, and naming it here would hide Flink's own Python jar.
    """
    values = {
        "python.execution-mode": "process",
        "python.executable": str(WORKER_PYTHON),
        # Off: with it the regions of a slot share one Python process, and one's import of a library stalls the other.
        "python.fn-execution.memory.managed": "false",
        "parallelism.default": str(job.parallelism(settings)),
        "execution.checkpointing.interval": f"{settings.checkpoint_interval_ms} ms",
        "execution.checkpointing.mode": "AT_LEAST_ONCE",
        "execution.checkpointing.timeout": "10 min",
        "execution.checkpointing.tolerable-failed-checkpoints": "100",
        "restart-strategy.type": "exponential-delay",
        "restart-strategy.exponential-delay.initial-backoff": "500 ms",
        "restart-strategy.exponential-delay.max-backoff": "10 s",
        "restart-strategy.exponential-delay.backoff-multiplier": "1.5",
        "restart-strategy.exponential-delay.reset-backoff-threshold": "1 min",
        "pipeline.object-reuse": "true",
        "table.exec.sink.not-null-enforcer": "DROP",
    }
    if connector is not None:
        values |= {**MINI_CLUSTER, "pipeline.jars": Path(connector).resolve().as_uri()}
    config = Configuration()
    for name, value in values.items():
        config.set_string(name, value)
    return config


def run(
    settings: Settings,
    job: StreamJob = STREAM_JOB,
    *,
    connector: str | None = None,
    plan_folder: Path | None = None,
    placed: bool = False,
) -> None:
    """Checks the log, builds the job and submits it (or runs it to its end on a mini-cluster).

    What was submitted is kept in `plan_folder`, for a new job manager. `placed`: on the task managers that take this
    job alone, for which it waits where there is none.
    """
    epoch = prepare(job, settings)
    extractors = configured(settings)
    check_tracing(settings.trace_collector)
    log.info("event=job_start name=%s extractors=%s epoch=%d settings=%s", job.name,
             ",".join(spec.extractor_id for spec in extractors), epoch, settings_json(settings))  # fmt: skip
    warn_of_foreign_serving(settings.layout.generations, extractors)
    workers_in_processes()
    environment = StreamExecutionEnvironment.get_execution_environment(configuration(settings, job, connector))
    if placed:
        place(environment, job)
    tables = StreamTableEnvironment.create(environment)
    build(tables, settings, extractors, epoch, job)
    # What `execute` does, with the graph at hand: the client completes it with the jars and files that it sends.
    graph = environment._generate_stream_graph(clear_transformations=True, job_name=job.name)
    environment._j_stream_execution_environment.execute(graph)
    if plan_folder is not None:
        try:
            keep(graph, get_gateway().jvm, plan_folder, epoch=epoch, settings=settings_json(settings))
        except (OSError, CorruptError, Py4JError) as error:
            log.warning("event=plan_not_kept reason=%s effect=a_new_job_manager_waits_for_the_client", error)


def main(argv: Sequence[str] | None = None) -> int:
    parser = argparse.ArgumentParser(prog="python -m jobs.realtime_index", description="Vitrine's streaming job.")
    parser.add_argument(
        "--connector",
        default=os.environ.get("VITRINE_FLINK_CONNECTOR"),
        help="jar of Flink's Kafka connector, to run on a mini-cluster of this process (VITRINE_FLINK_CONNECTOR)",
    )
    parser.add_argument("--keep-plan", type=Path, help="folder in which the submitted plan is kept")
    # Not --job: Flink's own command line takes that for its --jobmanager.
    parser.add_argument(
        "--stream-job", default=STREAM_JOB.key, help="stream, or extraction, a job with VITRINE_EXTRACTION_APART"
    )
    parser.add_argument("--placed", action="store_true", help="on the task managers that take this job alone")
    arguments = parser.parse_args(argv)
    logging.basicConfig(level=logging.INFO, format="%(asctime)s %(levelname)s %(name)s %(message)s")
    try:
        settings = load_settings()
        run(
            settings,
            _job_of(settings, arguments.stream_job),
            connector=arguments.connector,
            plan_folder=arguments.keep_plan,
            placed=arguments.placed,
        )
    except (OperatorError, TransientError) as error:
        print(f"vitrine: {error}", file=sys.stderr)
        return 2
    return 0


def _job_of(settings: Settings, key: str) -> StreamJob:
    """Raises `OperatorError` for one that these settings have not."""
    for job in stream_jobs(settings):
        if job.key == key:
            return job
    raise OperatorError(f"there is no job {key} with these settings: VITRINE_EXTRACTION_APART makes extraction one")


if __name__ == "__main__":
    sys.exit(main())
