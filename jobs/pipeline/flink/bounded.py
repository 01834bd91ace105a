"""Bounded work, answers to the client: the plumbing of batch jobs, beside `topology` of the endless ones.

Work (`jobs.pipeline.work`) writes to stores of its own, or to Kafka by itself;
its answers are a few bytes each, in a file beside the stores that the client
of the job reads at its end. A job is a source of units and the work on them,
of Flink's DataStream API: the Table API's planner costs a JVM more processor
time than most of this work, and its Arrow functions bring pandas into every
worker (docs/adr/0046-what-is-not-loaded.md).
"""

from __future__ import annotations

import uuid
from collections.abc import Callable, Iterator, Sequence
from functools import partial
from pathlib import Path
from typing import Any

import msgspec
from pyflink.common import Types, WatermarkStrategy
from pyflink.datastream import StreamExecutionEnvironment
from pyflink.datastream.connectors.file_system import FileSource, StreamFormat
from pyflink.datastream.functions import MapFunction, RuntimeContext
from pyflink.java_gateway import get_gateway

from jobs.pipeline.flink.loading import client_without_beam
from jobs.pipeline.flink.metrics import FlinkMetrics
from jobs.pipeline.log_range import LogRange, OverLog, PartitionRange
from jobs.pipeline.stage import Metrics, Record
from jobs.pipeline.work import Work

HEARTBEAT_MS = 10_000
CLIENT_TIMEOUT_MS = 300_000
"""How long a job outlives its client: enough for a machine that is busy with something else."""

SETTINGS = {
    "execution.runtime-mode": "BATCH",
    "client.heartbeat.timeout": str(CLIENT_TIMEOUT_MS),
    # A unit a call, so that an idle subtask gets the next one.
    "python.fn-execution.bundle.size": "1",
    "python.fn-execution.bundle.time": "1000",
}
"""What an environment must be of for `run_units` and `run_over_log`."""


class Recorded:
    """Work whose answers go to a file of its own in `folder`: a line of JSON each, whole once its line has ended."""

    def __init__(self, work: Callable[[], Work[Any, Any]], unit: Any, folder: str) -> None:
        """`unit`: the type of the units, which come as JSON."""
        self._work = work()
        self._decoder = msgspec.json.Decoder(unit)
        self._folder = Path(folder)

    def open(self, metrics: Metrics) -> None:
        self._work.open(metrics)
        self._file = (self._folder / f"{uuid.uuid4().hex}.jsonl").open("wb")

    def process(self, unit: str) -> None:
        self._file.write(msgspec.json.encode(self._work.process(self._decoder.decode(unit))) + b"\n")
        self._file.flush()

    def close(self) -> None:
        self._file.close()
        self._work.close()


class _WorkFunction(MapFunction):  # type: ignore[misc]
    """Does work inside a Flink Python worker. `recorded` (pickled) makes it there."""

    def __init__(self, name: str, recorded: Callable[[], Recorded]) -> None:
        self._name = name
        self._recorded = recorded

    def open(self, runtime_context: RuntimeContext) -> None:
        self._work = self._recorded()
        self._work.open(FlinkMetrics(runtime_context.get_metrics_group().add_group("vitrine", self._name)))

    def map(self, value: str) -> str:
        self._work.process(value)
        return value

    def close(self) -> None:
        work = getattr(self, "_work", None)
        if work is not None:
            work.close()


def run_over_log(
    environment: StreamExecutionEnvironment,
    name: str,
    log: LogRange,
    work: Callable[[], Work[Sequence[Record], Any]],
    batch_size: int,
    *,
    answer: Any,
    results: Path,
) -> Iterator[Any]:
    """Has the range done, batch by batch; waits for the job's end and yields the answers, of the type `answer`.

    Records of a partition come in the log's order, and from one subtask. For
    the rest see `run_units`, whose units are the partitions.
    """
    over_log = partial(OverLog, log, work, batch_size)
    units = log.partitions()
    for answers in run_units(
        environment, name, units, over_log, unit=PartitionRange, answer=list[answer], results=results
    ):
        yield from answers


def run_units(
    environment: StreamExecutionEnvironment,
    name: str,
    units: Sequence[Any],
    work: Callable[[], Work[Any, Any]],
    *,
    unit: Any,
    answer: Any,
    results: Path,
) -> Iterator[Any]:
    """Has units of the type `unit` done, one a call; waits for the job's end and yields the answers, of `answer`.

    `environment` must be of `SETTINGS`. A task that failed is run again and
    its answers come twice. No units yield nothing and start no job. `results`:
    a new folder that the workers can write.

    Each unit is a file of its own beside `results`: the one source of Flink's
    that is both bounded and spread over subtasks, and whose idle subtask
    fetches the next unit.
    """
    if not units:
        return
    folder = results.with_name(f"{results.name}-units")
    folder.mkdir(parents=True)
    for number, each in enumerate(units):
        (folder / f"{number:05d}.json").write_bytes(msgspec.json.encode(each))
    results.mkdir(parents=True)
    client_without_beam()
    # Flink's paths are written plainly; a percent-encoded URI would name another folder.
    source = FileSource.for_record_stream_format(StreamFormat.text_line_format(), f"file://{folder.resolve()}").build()
    lines = environment.from_source(source, WatermarkStrategy.no_watermarks(), f"{name}_units")
    function = _WorkFunction(name, partial(Recorded, work, unit, str(results)))
    lines.map(function, output_type=Types.STRING()).name(name)
    # Answers by files, not by Flink's collect: on a loaded machine its client lost the connection and cancelled.
    _wait(environment.execute_async(name))
    decoder = msgspec.json.Decoder(answer)
    for file in sorted(results.iterdir()):
        yield from map(decoder.decode, whole_lines(file.read_bytes()))


def _wait(job: Any) -> None:
    """Until the job has ended. Raises when it failed.

    Flink ends a job whose client reports no heartbeat for `client.heartbeat.timeout`,
    so that none runs on without its client (`execution.shutdown-on-attached-exit`),
    but waiting for a result reports none: after three minutes every job would be cancelled.
    """
    utilities = get_gateway().jvm.org.apache.flink.client.ClientUtils
    heartbeats = utilities.reportHeartbeatPeriodically(job._j_job_client, HEARTBEAT_MS, CLIENT_TIMEOUT_MS)
    try:
        job.get_job_execution_result().result()
    finally:
        heartbeats.shutdownNow()


def whole_lines(data: bytes) -> list[bytes]:
    """The lines of a file of answers; one cut off by the death of its worker is left out."""
    return data.split(b"\n")[:-1]
