"""Bounded work, answers to the client: the plumbing of batch jobs, beside `topology` of the endless ones.

Work (`jobs.pipeline.work`) writes to stores of its own, or to Kafka by itself;
its answers are a few bytes each, in a file beside the stores that the client
of the job reads at its end. Records of a partition come in the log's order: a
partition is one split of one source subtask, chained to the work, and nothing
shuffles.
"""

from __future__ import annotations

import uuid
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

import msgspec
from pyflink.java_gateway import get_gateway
from pyflink.table import StreamTableEnvironment

from jobs.pipeline.flink.arrow_adapter import stage_udf
from jobs.pipeline.flink.topology import RECORD_COLUMNS, kafka_options, plain, raw_table
from jobs.pipeline.stage import Metrics, Out, Record, Stage
from jobs.pipeline.work import Work
from schemas.access.kafka import Kafka

UNIT_BATCH = 1

HEARTBEAT_MS = 10_000
CLIENT_TIMEOUT_MS = 300_000
"""How long a job outlives its client: enough for a machine that is busy with something else."""


@dataclass(frozen=True, slots=True)
class LogRange:
    """The records of partition p with offsets from `begins[p]` up to, without, `ends[p]`."""

    topic: str
    bootstrap: Kafka
    begins: tuple[int, ...]
    ends: tuple[int, ...]

    @property
    def records(self) -> int:
        return sum(max(0, end - begin) for begin, end in zip(self.begins, self.ends, strict=True))


class Recorded:
    """Work as a stage: units come as the values of records, answers go to a file of its own in `folder`.

    `unit`: their type; None: what `work` takes is the batch of records itself.
    An answer is a line of JSON, whole once its line has ended.
    """

    def __init__(self, work: Callable[[], Work[Any, Any]], unit: Any, folder: str) -> None:
        self._work = work()
        self._unit = unit
        self._folder = Path(folder)

    def open(self, metrics: Metrics) -> None:
        self._work.open(metrics)
        self._file = (self._folder / f"{uuid.uuid4().hex}.jsonl").open("wb")

    def process(self, batch: Sequence[Record]) -> list[Out]:
        units = [batch] if self._unit is None else [msgspec.json.decode(r.value or b"", type=self._unit) for r in batch]
        for unit in units:
            self._file.write(msgspec.json.encode(self._work.process(unit)) + b"\n")
        self._file.flush()
        return []

    def close(self) -> None:
        self._file.close()
        self._work.close()


def run_over_log(
    tables: StreamTableEnvironment,
    name: str,
    log: LogRange,
    work: Callable[[], Work[Sequence[Record], Any]],
    batch_size: int,
    *,
    answer: Any,
    results: Path,
) -> Iterator[Any]:
    """Has the range done, batch by batch; waits for the job's end and yields the answers, of the type `answer`.

    `tables` must be of a batch environment. A task that failed is run again
    and its answers come twice. An empty range yields nothing and starts no
    job. `results`: a new folder that the workers can write.
    """
    if log.records == 0:
        return
    _bundles_of(tables, batch_size)
    tables.execute_sql(raw_table(f"{name}_source", _range_options(log)))
    rows = tables.sql_query(f"SELECT {RECORD_COLUMNS} FROM {name}_source")
    yield from _run(tables, name, rows, partial(Recorded, work, None), answer, results)


def run_units(
    tables: StreamTableEnvironment,
    name: str,
    units: Sequence[Any],
    work: Callable[[], Work[Any, Any]],
    *,
    unit: Any,
    answer: Any,
    results: Path,
) -> Iterator[Any]:
    """Has units of the type `unit` done, one a call; yields the answers as `run_over_log`.

    Each is a file of its own beside `results`: the one source of Flink's that
    is both bounded and spread over subtasks, and whose idle subtask fetches
    the next unit. All five columns lie in the file, because Flink hands a
    function of columns and constants its arguments one by one, not as a row.
    """
    if not units:
        return
    _bundles_of(tables, UNIT_BATCH)
    folder = results.with_name(f"{results.name}-units")
    folder.mkdir(parents=True)
    for number, each in enumerate(units):
        record = {"k": None, "v": msgspec.json.encode(each), "p": 0, "o": number, "t": 0}
        (folder / f"{number:05d}.json").write_bytes(msgspec.json.encode(record))
    # Flink's paths are written plainly; a percent-encoded URI would name another folder.
    path = f"file://{folder.resolve()}".replace("'", "''")
    tables.execute_sql(
        f"CREATE TEMPORARY TABLE {name}_units (k BYTES, v BYTES, p INT, o BIGINT, t BIGINT) "
        f"WITH ('connector' = 'filesystem', 'path' = '{path}', 'format' = 'json')"
    )
    rows = tables.sql_query(f"SELECT k, v, p, o, t FROM {name}_units")
    yield from _run(tables, name, rows, partial(Recorded, work, unit), answer, results)


def _run(
    tables: StreamTableEnvironment, name: str, rows: Any, recorded: Callable[[str], Stage], answer: Any, results: Path
) -> Iterator[Any]:
    """Answers by files, not by Flink's collect: on a loaded machine its client lost the connection and cancelled."""
    results.mkdir(parents=True)
    tables.get_config().set("pipeline.name", name)
    tables.get_config().set("client.heartbeat.timeout", str(CLIENT_TIMEOUT_MS))
    tables.create_temporary_view(f"{name}_out", rows.map(stage_udf(name, partial(recorded, str(results)))))
    tables.execute_sql(f"CREATE TEMPORARY TABLE {name}_sink (vals ARRAY<BYTES>) WITH ('connector' = 'blackhole')")
    _wait(tables.execute_sql(f"INSERT INTO {name}_sink SELECT vals FROM {name}_out"))
    decoder = msgspec.json.Decoder(answer)
    for file in sorted(results.iterdir()):
        yield from map(decoder.decode, whole_lines(file.read_bytes()))


def _wait(job: Any) -> None:
    """Until the job has ended. Raises when it failed.

    Flink ends a job whose client reports no heartbeat for `client.heartbeat.timeout`,
    so that none runs on without its client (`execution.shutdown-on-attached-exit`),
    but waiting for a table's result reports none: after three minutes every job
    would be cancelled.
    """
    utilities = get_gateway().jvm.org.apache.flink.client.ClientUtils
    heartbeats = utilities.reportHeartbeatPeriodically(
        job.get_job_client()._j_job_client, HEARTBEAT_MS, CLIENT_TIMEOUT_MS
    )
    try:
        job.wait()
    finally:
        heartbeats.shutdownNow()


def whole_lines(data: bytes) -> list[bytes]:
    """The lines of a file of answers; one cut off by the death of its worker is left out."""
    return data.split(b"\n")[:-1]


def _bundles_of(tables: StreamTableEnvironment, records: int) -> None:
    config = tables.get_config()
    config.set("python.fn-execution.bundle.time", "1000")
    config.set("python.fn-execution.bundle.size", str(records))
    config.set("python.fn-execution.arrow.batch.size", str(records))


def _range_options(log: LogRange) -> dict[str, str]:
    return {
        "connector": "kafka",
        "topic": plain(log.topic),
        **kafka_options(log.bootstrap),
        "properties.max.partition.fetch.bytes": "16777216",
        "scan.startup.mode": "specific-offsets",
        "scan.startup.specific-offsets": _offsets(log.begins),
        "scan.bounded.mode": "specific-offsets",
        "scan.bounded.specific-offsets": _offsets(log.ends),
        "scan.topic-partition-discovery.interval": "0",
    }


def _offsets(offsets: Sequence[int]) -> str:
    return ";".join(f"partition:{partition},offset:{offset}" for partition, offset in enumerate(offsets))
