"""More partitions for topics that are there: on a Kafka of its own."""

from __future__ import annotations

from collections.abc import Iterator

import msgspec
import pytest
from confluent_kafka import Consumer, TopicPartition

from cli.runtime.progress import Silent
from cli.runtime.system import System as Runtime
from feature_store.open import live_catalogue
from feature_store.products import ProductStore
from jobs.pipeline.log_epoch import current_epoch, is_made_anew, note_after_loss
from jobs.realtime_index.preparation import prepare
from jobs.realtime_index.stream_jobs import STREAM_JOB
from messaging.access import client_options
from messaging.admin import admin_client, describe
from messaging.producer import EventProducer
from messaging.ranges import read_all
from messaging.repartition import _allow_bytes, _probe_until_closed, _remove_read_topic, repartition
from schemas.errors import OperatorError, TransientError
from schemas.events.record import ProductRecord
from schemas.ids import sequence
from schemas.settings import Settings
from schemas.topics import CATALOGUE_GROUP, CATALOGUE_RECORDS, IMAGE_FEATURES, MAX_MESSAGE_BYTES, PRODUCT_EVENTS
from tests.system import eventually, system_settings

pytestmark = pytest.mark.integration


@pytest.fixture(scope="module")
def settings(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Settings]:
    runtime = Runtime(system_settings(tmp_path_factory.mktemp("repartition")), Silent())
    try:
        runtime.start_kafka()
        yield runtime.settings
    finally:
        runtime.stop()


def produced(settings: Settings, key: bytes) -> None:
    with EventProducer(settings.kafka) as producer:
        producer.send(PRODUCT_EVENTS, key, b'{"type": "heartbeat"}')


def all_committed(settings: Settings) -> None:
    ends = describe(settings.kafka, [PRODUCT_EVENTS])[PRODUCT_EVENTS].ends
    consumer = Consumer({**client_options(settings.kafka), "group.id": CATALOGUE_GROUP, "enable.auto.commit": False})
    consumer.commit(offsets=[TopicPartition(PRODUCT_EVENTS, p, end) for p, end in enumerate(ends)], asynchronous=False)
    consumer.close()


def test_topic_with_records_that_nobody_has_read_stays_and_takes_more(settings: Settings) -> None:
    produced(settings, b"unread")
    grown = msgspec.structs.replace(settings, event_partitions=8)
    with pytest.raises(OperatorError, match="1 records of product-events are not read yet"):
        repartition(grown)
    produced(settings, b"more")
    all_committed(settings)
    # What was read when it was looked at first, and is not when it is closed: somebody wrote in between.
    looked_at = describe(settings.kafka, [PRODUCT_EVENTS])[PRODUCT_EVENTS]
    produced(settings, b"late")
    with pytest.raises(OperatorError, match="are not read yet"):
        _remove_read_topic(admin_client(settings.kafka), settings.kafka, looked_at)
    eventually(lambda: produced(settings, b"open again") or True, "it is open again")
    assert sum(describe(settings.kafka, [PRODUCT_EVENTS])[PRODUCT_EVENTS].ends) >= 4


def test_closed_topic_acknowledges_nothing(settings: Settings) -> None:
    before = sum(describe(settings.kafka, [PRODUCT_EVENTS])[PRODUCT_EVENTS].ends)
    client = admin_client(settings.kafka)
    _allow_bytes(client, "0")
    try:
        taken = _probe_until_closed(settings.kafka, 2)
        with pytest.raises(TransientError):
            produced(settings, b"refused")
    finally:
        _allow_bytes(client, MAX_MESSAGE_BYTES)
    assert sum(describe(settings.kafka, [PRODUCT_EVENTS])[PRODUCT_EVENTS].ends) == before + taken
    eventually(lambda: produced(settings, b"open again") or True, "it is open again")


def test_topics_grow_and_the_log_begins_a_new_epoch(settings: Settings) -> None:
    epoch = settings.layout.log_epoch
    assert current_epoch(settings.kafka, epoch) == 0
    with EventProducer(settings.kafka) as producer:
        producer.send(CATALOGUE_RECORDS, b"p", b"record")
    all_committed(settings)
    grown = msgspec.structs.replace(settings, event_partitions=8, feature_partitions=4)
    with pytest.raises(OperatorError, match="cannot get fewer"):
        repartition(msgspec.structs.replace(grown, feature_partitions=1))
    assert repartition(grown)[PRODUCT_EVENTS] == 8
    assert repartition(grown) == {}
    found = describe(settings.kafka, [PRODUCT_EVENTS, CATALOGUE_RECORDS, IMAGE_FEATURES])
    assert {name: len(topic.ends) for name, topic in found.items()} == {
        PRODUCT_EVENTS: 8,
        CATALOGUE_RECORDS: 8,
        IMAGE_FEATURES: 4,
    }
    assert not any(found[PRODUCT_EVENTS].ends)
    kept = [message for partition in range(8) for message in read_all(settings.kafka, CATALOGUE_RECORDS, partition)]
    assert [message.value for message in kept] == [b"record"]
    assert is_made_anew(settings.kafka, epoch)
    assert current_epoch(settings.kafka, epoch) == 1
    assert not is_made_anew(settings.kafka, epoch)
    produced(grown, b"goes on")


def test_job_on_a_machine_without_the_note_begins_above_what_the_store_has(settings: Settings) -> None:
    home = str(settings.layout.home / "elsewhere")
    moved = msgspec.structs.replace(settings, event_partitions=8, feature_partitions=4, home=home)
    store = ProductStore(live_catalogue(moved))
    store.write(3, [ProductRecord("p", sequence(4, 10), True, None, {}, [])], 0)
    store.close()
    assert prepare(STREAM_JOB, moved) == 5
    assert prepare(STREAM_JOB, moved) == 5


def test_machine_without_the_note_begins_above_what_is_known(settings: Settings) -> None:
    epoch = settings.layout.home / "another" / "log-epoch.json"
    note_after_loss(settings.kafka, epoch, sequence(4, 1000))
    assert current_epoch(settings.kafka, epoch) == 5
    note_after_loss(settings.kafka, epoch, sequence(9, 1000))
    assert current_epoch(settings.kafka, epoch) == 5, "a note that is there is right"
