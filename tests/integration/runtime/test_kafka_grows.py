"""The Kafka that `vitrine start` begins with becomes three brokers, as docs/operations.md says, and loses the first."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from confluent_kafka import Consumer, TopicPartition
from confluent_kafka.admin import ConfigResource, ResourceType

from cli.inspection import replica_problems
from cli.main import main
from cli.runtime.environment import settings_environment
from cli.runtime.kafka import broker_part
from messaging.access import client_options
from messaging.admin import admin_client, committed_offsets, describe, ensure_topics, wait_for_kafka
from messaging.producer import EventProducer
from messaging.ranges import read_all
from messaging.replication import INTERNAL, replications
from schemas.access.kafka import KafkaAccess
from schemas.errors import OperatorError
from schemas.settings import load_settings
from schemas.topics import CATALOGUE_GROUP, PRODUCT_EVENTS
from tests.support.brokers import Brokers
from tests.system import eventually

pytestmark = [pytest.mark.integration, pytest.mark.drill]

ALONE: dict[str, Any] = {
    "kafka_bootstrap": "", "kafka_node": 0, "kafka_replicas": 0, "kafka_security_protocol": "PLAINTEXT",
    "kafka_tls_ca": "", "kafka_tls_certificate": "", "kafka_tls_key": "",
}  # fmt: skip


@pytest.fixture
def brokers(tmp_path: Path) -> Iterator[Brokers]:
    brokers = Brokers(tmp_path, kafka_replicas=3, event_partitions=2, feature_partitions=2)
    try:
        yield brokers
    finally:
        brokers.end()


@pytest.mark.timeout(600)
def test_one_broker_becomes_three_and_the_first_may_be_lost(
    brokers: Brokers, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    alone = {**ALONE, "kafka_port": int(brokers.addresses[0].rpartition(":")[2])}
    before = brokers.settings(1, **alone)
    brokers.start(1, **alone)
    wait_for_kafka(before.kafka, 300.0)
    ensure_topics(before)
    write(before.kafka, 0, 200)
    commit(before.kafka)
    brokers.end()
    cluster = cluster_of(brokers.settings(1).layout.kafka / "data")

    with pytest.raises(OperatorError, match="is of a Kafka of 1 broker, and kafka_bootstrap lists 3: it grows by one"):
        broker_part(brokers.settings(1, kafka_cluster=cluster))
    with pytest.raises(OperatorError, match=f"VITRINE_KAFKA_CLUSTER={cluster}"):
        broker_part(brokers.settings(1))
    with pytest.raises(OperatorError, match="broker 2 has an empty folder, and the others do not answer"):
        broker_part(brokers.settings(2, kafka_cluster=cluster))

    brokers.start(1, 2, kafka_cluster=cluster, kafka_bootstrap=",".join(brokers.addresses[:2]))
    eventually(lambda: replications(brokers.access, [])[0] == [1, 2], "the second has joined")
    brokers.end()

    def joined() -> bool:
        brokers.start(kafka_cluster=cluster)  # as a supervisor does with the third, until the others answer
        return replications(brokers.access, [])[0] == [1, 2, 3]

    eventually(joined, "the third has joined")

    settings = load_settings({}, home=brokers.settings(1).home, **brokers.client)
    assert ensure_topics(settings) == []
    assert any(": 1 replica, and kafka_replicas says 3: vitrine replicate" in it for it in replica_problems(settings))
    for name, value in settings_environment(settings).items():
        monkeypatch.setenv(name, value)
    assert main(["replicate"]) == 0
    assert "product-events" in capsys.readouterr().out
    assert main(["replicate"]) == 0
    assert "every topic has 3 replicas" in capsys.readouterr().out
    assert replica_problems(settings) == []
    _, found = replications(settings.kafka, [PRODUCT_EVENTS, *INTERNAL])
    assert {name: topic.replicas for name, topic in found.items()} == {PRODUCT_EVENTS: 3, "__consumer_offsets": 3}
    assert least_in_sync(settings.kafka) == "2"

    brokers.kill(1)
    write(settings.kafka, 200, 400)
    written = {
        message.value
        for partition in range(len(describe(settings.kafka, [PRODUCT_EVENTS])[PRODUCT_EVENTS].ends))
        for message in read_all(settings.kafka, PRODUCT_EVENTS, partition)
    }
    assert written == {str(number).encode() for number in range(400)}
    assert committed_offsets(settings.kafka, CATALOGUE_GROUP, PRODUCT_EVENTS, 2) == [7, None]


def write(kafka: KafkaAccess, first: int, end: int) -> None:
    with EventProducer(kafka) as producer:
        for number in range(first, end):
            producer.send(PRODUCT_EVENTS, str(number).encode(), str(number).encode())


def commit(kafka: KafkaAccess) -> None:
    consumer = Consumer({**client_options(kafka), "group.id": CATALOGUE_GROUP, "enable.auto.commit": False})
    consumer.commit(offsets=[TopicPartition(PRODUCT_EVENTS, 0, 7)], asynchronous=False)
    consumer.close()


def cluster_of(data: Path) -> str:
    lines = (data / "meta.properties").read_text().splitlines()
    return next(line.removeprefix("cluster.id=") for line in lines if line.startswith("cluster.id="))


def least_in_sync(kafka: KafkaAccess) -> str:
    resource = ConfigResource(ResourceType.TOPIC, PRODUCT_EVENTS)
    client = admin_client(kafka)
    (future,) = client.describe_configs([resource]).values()
    return str(future.result()["min.insync.replicas"].value)
