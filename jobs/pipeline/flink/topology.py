"""Kafka in, stage, Kafka out: the Table API plumbing that both jobs build on."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import partial

from pyflink.table import StreamTableEnvironment

from jobs.pipeline.flink.arrow_adapter import stage_udf
from jobs.pipeline.flink.kafka_properties import connector_properties
from jobs.pipeline.stage import Stage
from messaging.producer import EventProducer
from schemas.access.kafka import Kafka
from schemas.trace_context import TRACEPARENT

CALL_RECORDS = 256
"""Most records of one call: a message of that many of the longest events still fits the task manager's memory."""
FETCH_BYTES = 8 * 1024 * 1024

RECORD_COLUMNS = (
    "k, v, p, o, CAST(EXTRACT(EPOCH FROM t) AS BIGINT) * 1000 + CAST(EXTRACT(MILLISECOND FROM t) AS BIGINT) AS t"
)
"""A stage's five columns, from a `raw_table`; the timestamp in ms."""
_HEADERS = ", h MAP<STRING, BYTES> METADATA FROM 'headers'"
"""One column more, of tables whose records are traced; read and written."""


@dataclass(frozen=True, slots=True)
class KafkaSource:
    """A topic to read: from the group's committed offsets, or from the oldest record where there are none.

    A restart by Flink goes on at its checkpoint.
    """

    topic: str
    bootstrap: Kafka
    group: str
    max_poll_records: int = 2000


@dataclass(frozen=True, slots=True)
class KafkaSink:
    """Where a stage's records go; the topic is a column of each."""

    bootstrap: Kafka
    topics: tuple[str, ...]
    linger_ms: int = 1


@dataclass(frozen=True, slots=True)
class Region:
    """One stage with its source. `bundle_time_ms` is its latency, `batch_size` the most records of one bundle.

    `traced`: the header of records by which their ways are followed is read and written.
    """

    name: str
    source: KafkaSource
    factory: Callable[[], Stage]
    bundle_time_ms: int
    batch_size: int
    traced: bool = False


def add_region(tables: StreamTableEnvironment, region: Region, sink: KafkaSink) -> None:
    """Declares one region and attaches it to the job of `tables`'s environment.

    Attached at once, because a region is translated with the configuration of
    that moment: each has its own bundle size and time.
    """
    config = tables.get_config()
    config.set("python.fn-execution.bundle.time", str(region.bundle_time_ms))
    config.set("python.fn-execution.bundle.size", str(region.batch_size))
    config.set("python.fn-execution.arrow.batch.size", str(min(region.batch_size, CALL_RECORDS)))
    traced = region.traced
    tables.execute_sql(raw_table(f"{region.name}_source", _source_options(region.source), traced=traced))
    tables.execute_sql(_sink_ddl(f"{region.name}_sink", sink, traced=traced))
    read = f", h['{TRACEPARENT}'] AS h" if traced else ""
    rows = tables.sql_query(f"SELECT {RECORD_COLUMNS}{read} FROM {region.name}_source")
    connect = partial(EventProducer, sink.bootstrap)
    stage = stage_udf(region.name, region.factory, connect, traced=traced)
    tables.create_temporary_view(f"{region.name}_out", rows.map(stage))
    returned, written = "topics, keys, vals", "u.k, vals[u.i], topics[u.i]"
    if traced:
        # A header without a value is not written.
        returned, written = f"{returned}, traces", f"{written}, MAP['{TRACEPARENT}', traces[u.i]]"
    statements = tables.create_statement_set()
    statements.add_insert_sql(
        f"INSERT INTO {region.name}_sink "
        f"SELECT {written} FROM "
        f"(SELECT {returned} FROM {region.name}_out WHERE CARDINALITY(vals) > 0) "
        f"CROSS JOIN UNNEST(keys) WITH ORDINALITY AS u(k, i)"
    )
    statements.attach_as_datastream()


def raw_table(name: str, options: Mapping[str, str], *, traced: bool = False) -> str:
    """DDL of a topic to read: key, value, partition, offset and timestamp of its records as they lie there.

    `traced`: their headers as well.
    """
    settings = {
        **options,
        "key.format": "raw",
        "key.fields": "k",
        "value.format": "raw",
        "value.fields-include": "EXCEPT_KEY",
    }
    return f"""CREATE TEMPORARY TABLE {name} (
        k BYTES, v BYTES,
        p INT METADATA FROM 'partition' VIRTUAL,
        o BIGINT METADATA FROM 'offset' VIRTUAL,
        t TIMESTAMP_LTZ(3) METADATA FROM 'timestamp' VIRTUAL{_HEADERS if traced else ""}
    ) WITH ({_options(settings)})"""


def _source_options(source: KafkaSource) -> dict[str, str]:
    return {
        "connector": "kafka",
        "topic": plain(source.topic),
        **kafka_options(source.bootstrap),
        "properties.group.id": plain(source.group),
        "properties.auto.offset.reset": "earliest",
        "properties.max.poll.records": str(source.max_poll_records),
        # Of long records a poll brings few, so that a bundle of them, which ends by time, stays some ten MB.
        "properties.max.partition.fetch.bytes": str(FETCH_BYTES),
        "properties.fetch.max.bytes": str(FETCH_BYTES),
        "properties.fetch.max.wait.ms": "500",
        "scan.startup.mode": "group-offsets",
        "scan.topic-partition-discovery.interval": "0",
    }


def _sink_ddl(name: str, sink: KafkaSink, *, traced: bool) -> str:
    settings = {
        "connector": "kafka",
        "topic": ";".join(plain(topic) for topic in sink.topics),
        **kafka_options(sink.bootstrap),
        # What Kafka's client does by default, and what nothing is lost by when a broker is.
        "properties.acks": "all",
        "properties.enable.idempotence": "true",
        "properties.linger.ms": str(sink.linger_ms),
        "properties.max.request.size": "16777216",
        "properties.buffer.memory": "67108864",
        "sink.delivery-guarantee": "at-least-once",
        "key.format": "raw",
        "key.fields": "k",
        "value.format": "raw",
        "value.fields-include": "EXCEPT_KEY",
    }
    return f"""CREATE TEMPORARY TABLE {name} (
        k BYTES, v BYTES, `topic` STRING METADATA{_HEADERS if traced else ""}
    ) WITH ({_options(settings)})"""


def kafka_options(kafka: Kafka) -> dict[str, str]:
    """A table's options for the way into Kafka, see `connector_properties`."""
    return {f"properties.{name}": value for name, value in connector_properties(kafka).items()}


def _options(options: Mapping[str, str]) -> str:
    return ", ".join("'{}' = '{}'".format(key, value.replace("'", "''")) for key, value in options.items())


def plain(text: str) -> str:
    """Names and addresses go into DDL as they are; anything that could end the literal is refused."""
    if not re.fullmatch(r"[A-Za-z0-9_.:,\[\]-]+", text):
        raise ValueError(f"{text!r} is no topic, group or address")
    return text
