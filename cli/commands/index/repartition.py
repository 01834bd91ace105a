"""Give product-events and extract-requests, and what is kept of them, as many partitions as the settings say.

The streaming job must not run, and must have read all of product-events; both
stores are then rebuilt over the new partitions. Step by step in
docs/operations.md, "Another number of partitions".
"""

from __future__ import annotations

import argparse

from cli.runtime.flink.access import FlinkAccess
from cli.runtime.flink.rest import FlinkRest
from jobs.realtime_index.stream_jobs import ALL_JOBS
from messaging.admin import wait_for_kafka
from messaging.repartition import repartition
from schemas.errors import OperatorError, TransientError
from schemas.settings import Settings, load_settings

NAME = "repartition"
_KAFKA_S = 3.0


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """It has none: the settings say it all."""


def run(arguments: argparse.Namespace) -> int:
    settings = load_settings()
    if job_lives(settings):
        raise OperatorError("the streaming job runs, and would lose the topic that it reads: vitrine stop first")
    wait_for_kafka(settings.kafka, _KAFKA_S)
    grown = repartition(settings)
    for name, partitions in sorted(grown.items()):
        print(f"{name}: {partitions} partitions")
    print(
        "move both stores away, then vitrine rebuild, vitrine start"
        if grown
        else "every topic has as many partitions as the settings say"
    )
    return 0


def job_lives(settings: Settings) -> bool:
    """Whether the Flink of this machine has it, or extraction as a job of its own.

    On another machine whoever follows docs/operations.md has stopped it.
    """
    with FlinkRest(FlinkAccess.of(settings)) as flink:
        try:
            return any(flink.live_job(job.name) is not None for job in ALL_JOBS)
        except TransientError:
            return False
