"""`python -m jobs.realtime_index`: the streaming job on a mini-cluster of its own process."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from cli.runtime.environment import settings_environment
from cli.runtime.programs import jars
from messaging.admin import ensure_topics
from messaging.producer import EventProducer
from messaging.ranges import read_all
from schemas.deltas.delta import decode_deltas
from schemas.events.dead_letter import decode_dead_letter
from schemas.settings import load_settings
from schemas.topics import DEAD_LETTERS, INDEX_DELTAS, PRODUCT_EVENTS
from tests.support.database.catalogue import MAPPING, recorded
from tests.support.whole.pictures import write_pictures
from tests.system import eventually

pytestmark = pytest.mark.integration


def test_job_runs_on_a_mini_cluster(kafka_broker: str, tmp_path: Path) -> None:
    settings = load_settings(
        {},
        home=str(tmp_path),
        kafka_bootstrap=kafka_broker,
        event_partitions=2,
        feature_partitions=2,
        database_mapping=MAPPING,
        database_topic="shop-changes",
    )
    assert ensure_topics(settings) == ["shop-changes"]
    last = recorded("with")[-1]
    (url,) = write_pictures(tmp_path / "pictures", range(1, 2))
    (connector,) = [jar for jar in jars("flink") if jar.name.startswith("flink-sql-connector-kafka")]
    event = {"type": "product_added", "product_id": "mini-1", "images": [{"url": url}]}
    with EventProducer(kafka_broker) as producer:
        producer.send(PRODUCT_EVENTS, b"mini-1", json.dumps(event).encode())
        producer.send("shop-changes", b"bad", b"no change")
        producer.send("shop-changes", last.key, last.value)
    job = subprocess.Popen(
        [sys.executable, "-m", "jobs.realtime_index", "--connector", str(connector)],
        env={**os.environ, **settings_environment(settings)},
        stdout=(tmp_path / "job.log").open("wb"),
        stderr=subprocess.STDOUT,
    )

    def vector_is_there() -> bool:
        assert job.poll() is None, (tmp_path / "job.log").read_text()[-3000:]
        batches = [
            decode_deltas(message.value or b"")
            for shard in range(settings.partitions_of_deltas)
            for message in read_all(kafka_broker, INDEX_DELTAS, shard)
            if b"mini-1" in (message.value or b"")  # other tests leave records there that are no deltas
        ]
        return any("mini-1" in batch.product_id and any(batch.vector) for batch in batches)

    def change_is_there() -> bool:
        letters = [decode_dead_letter(each.value or b"") for each in read_all(kafka_broker, DEAD_LETTERS, 0)]
        told = [each.key for partition in range(2) for each in read_all(kafka_broker, PRODUCT_EVENTS, partition)]
        return b"Z-END" in told and any((each.topic, each.reason) == ("shop-changes", "not_json") for each in letters)

    try:
        eventually(
            change_is_there, "the change in the database is an event, what is none a dead letter", 240, poll_s=1.0
        )
        eventually(vector_is_there, "state and vector of the product are in index-deltas", 240, poll_s=1.0)
    finally:
        job.terminate()
        try:
            job.wait(120)
        finally:
            job.kill()
