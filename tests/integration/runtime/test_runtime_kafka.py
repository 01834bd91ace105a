"""The broker that `vitrine start` runs: real Kafka, started, found again, killed, started again."""

from __future__ import annotations

import signal
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
from confluent_kafka import Consumer, TopicPartition

from cli.main import main
from cli.runtime.environment import settings_environment
from cli.runtime.kafka import NAME as KAFKA
from cli.runtime.kafka import format_storage, server_properties
from cli.runtime.progress import Silent
from cli.runtime.supervisor import NAME as SUPERVISOR
from cli.runtime.system import System as Runtime
from feature_store.open import live_catalogue
from feature_store.products import ProductReader, ProductStore
from jobs.realtime_index.recorded import record_catalogue
from messaging.access import client_options
from messaging.admin import committed_offsets, describe, forget_positions, wait_for_kafka
from messaging.producer import EventProducer
from messaging.ranges import read_all
from schemas.errors import OperatorError
from schemas.events.dead_letter import encode_dead_letter, make_dead_letter
from schemas.events.event import MAX_EVENT_BYTES, ProductErased, decode_event
from schemas.events.extract_request import ExtractRequest, decode_request, encode_request
from schemas.events.record import ProductRecord, encode_record
from schemas.features.record import FeatureRecord, encode_feature, feature_topic_key
from schemas.ids import image_key, kafka_partition
from schemas.topics import (
    CATALOGUE_RECORDS,
    DEAD_LETTERS,
    EXTRACT_REQUESTS,
    IMAGE_FEATURES,
    INDEX_DELTAS,
    PRODUCT_EVENTS,
)
from serving.blender.writing.erasures import Erasures
from tests.system import eventually, system_settings

pytestmark = pytest.mark.integration


@pytest.fixture(scope="module")
def runtime(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Runtime]:
    runtime = Runtime(system_settings(tmp_path_factory.mktemp("runtime")), Silent())
    try:
        runtime.start_kafka()
        yield runtime
    finally:
        runtime.stop()


@pytest.fixture
def environment(runtime: Runtime, monkeypatch: pytest.MonkeyPatch) -> None:
    """The command line's settings are this broker's."""
    for name, value in settings_environment(runtime.settings).items():
        monkeypatch.setenv(name, value)


def test_topics_exist_with_the_partitions_of_the_settings(runtime: Runtime) -> None:
    settings = runtime.settings
    states = describe(
        settings.bootstrap,
        [PRODUCT_EVENTS, EXTRACT_REQUESTS, IMAGE_FEATURES, CATALOGUE_RECORDS, INDEX_DELTAS, DEAD_LETTERS],
    )
    assert {name: len(state.ends) for name, state in states.items()} == {
        PRODUCT_EVENTS: settings.event_partitions,
        EXTRACT_REQUESTS: settings.feature_partitions,
        IMAGE_FEATURES: settings.feature_partitions,
        CATALOGUE_RECORDS: settings.event_partitions,
        INDEX_DELTAS: settings.shards,
        DEAD_LETTERS: 1,
    }


def test_group_that_never_committed_has_no_offsets(runtime: Runtime) -> None:
    assert committed_offsets(runtime.settings.bootstrap, "nobody", PRODUCT_EVENTS, 2) == [None, None]


def test_group_whose_positions_are_forgotten_begins_anew(runtime: Runtime) -> None:
    kafka = runtime.settings.kafka
    consumer = Consumer({**client_options(kafka), "group.id": "forgetful", "enable.auto.commit": False})
    consumer.commit(offsets=[TopicPartition(PRODUCT_EVENTS, 0, 7)], asynchronous=False)
    consumer.close()
    assert committed_offsets(kafka, "forgetful", PRODUCT_EVENTS, 2) == [7, None]
    forget_positions(kafka, "forgetful")
    assert committed_offsets(kafka, "forgetful", PRODUCT_EVENTS, 2) == [None, None]
    forget_positions(kafka, "forgetful")  # there is no such group any more, which is as well


@pytest.mark.anyio
async def test_erasure_over_http_is_the_shops_own_event(runtime: Runtime) -> None:
    erasures = Erasures(runtime.settings.kafka, keyed=True)
    accepted = [await erasures.erase(product) for product in ("größe/7 \n", "lamp")]
    for product, where in zip(("größe/7 \n", "lamp"), accepted, strict=True):
        assert where.partition == kafka_partition(product.encode(), runtime.settings.event_partitions)
        found = read_all(runtime.settings.bootstrap, PRODUCT_EVENTS, where.partition)[where.offset]
        assert (found.key, decode_event(found.value or b"")) == (product.encode(), ProductErased(product_id=product))


def test_killed_broker_starts_again_with_all_its_records(runtime: Runtime) -> None:
    with EventProducer(runtime.settings.bootstrap) as producer:
        for number in range(500):
            producer.send(INDEX_DELTAS, b"0", f"{number}".encode(), partition=1)
    before = runtime.running()[KAFKA]
    runtime.processes.signal(KAFKA, signal.SIGKILL)
    eventually(lambda: runtime.running().get(KAFKA, before) != before, "the broker is running again")
    wait_for_kafka(runtime.settings.bootstrap)
    found = [int(message.value or b"") for message in read_all(runtime.settings.bootstrap, INDEX_DELTAS, 1)]
    assert found == list(range(500))


def test_cluster_id_that_looks_like_an_option_formats_the_storage(tmp_path: Path) -> None:
    settings = system_settings(tmp_path)
    layout = settings.layout
    layout.make()
    properties = tmp_path / "server.properties"
    properties.write_text(server_properties(settings.kafka_port, tmp_path / "data"))
    format_storage(properties, layout, "-wAAAAAAAAAAAAAAAAAAAA")
    assert "-wAAAAAAAAAAAAAAAAAAAA" in (tmp_path / "data" / "meta.properties").read_text()


def test_second_start_changes_nothing(runtime: Runtime) -> None:
    before = runtime.running()
    runtime.start_kafka()
    assert runtime.running() == before


def test_second_system_on_the_same_ports_is_refused_with_the_firsts_home(runtime: Runtime, tmp_path: Path) -> None:
    ports = {name: getattr(runtime.settings, name) for name in ("http_port", "kafka_port", "flink_port", "grpc_port")}
    second = Runtime(system_settings(tmp_path, **ports), Silent())
    with pytest.raises(
        OperatorError, match=rf"port {ports['kafka_port']} .*{runtime.settings.home}.*VITRINE_KAFKA_PORT"
    ):
        second.start_kafka()
    assert second.running() == {}


def test_other_partition_count_than_the_topics_is_refused(runtime: Runtime) -> None:
    from messaging.admin import ensure_topics

    other = system_settings(runtime.settings.layout.home, kafka_port=runtime.settings.kafka_port, shards=5)
    with pytest.raises(OperatorError, match="index-deltas has 2 partitions, the settings say 5"):
        ensure_topics(other)


@pytest.mark.usefixtures("environment")
def test_produced_event_lies_where_the_java_client_puts_it(
    runtime: Runtime, capsys: pytest.CaptureFixture[str]
) -> None:
    event = b'{"type": "product_removed", "product_id": "caf\xc3\xa9"}'
    assert main(["produce", "--event", event.decode()]) == 0
    partition = kafka_partition("café".encode(), runtime.settings.event_partitions)
    assert f"partition {partition} " in capsys.readouterr().out
    found = read_all(runtime.settings.bootstrap, PRODUCT_EVENTS, partition)
    assert [(message.key, message.value) for message in found if message.value == event] == [("café".encode(), event)]


@pytest.mark.usefixtures("environment")
def test_dead_letter_is_listed_shown_and_put_back_as_a_first_attempt(
    runtime: Runtime, capsys: pytest.CaptureFixture[str]
) -> None:
    request = ExtractRequest(
        product_id="p1", image_id="00" * 16, image_key="11" * 16, url="https://a.example/1.jpg",
        vector_seq=9, extractor_id="x", attempt=5, not_before_ms=1_800_000_000_000,
    )  # fmt: skip
    letter = make_dead_letter(
        reason="host_is_down", detail="no answer", stage="extraction", transient=True, topic=EXTRACT_REQUESTS,
        partition=0, offset=3, at_ms=1_767_261_600_000, key=b"1", value=encode_request(request),
    )  # fmt: skip
    with EventProducer(runtime.settings.bootstrap) as producer:
        producer.send(DEAD_LETTERS, b"1", encode_dead_letter(letter))
    number = describe(runtime.settings.bootstrap, [DEAD_LETTERS])[DEAD_LETTERS].ends[0] - 1

    assert main(["dead-letters", "list", "--reason", "host_is_down"]) == 0
    assert "extract-requests/0/3" in capsys.readouterr().out
    assert main(["dead-letters", "show", str(number)]) == 0
    assert "https://a.example/1.jpg" in capsys.readouterr().out
    assert main(["dead-letters", "put-back", str(number)]) == 0

    sent = [
        decode_request(message.value)
        for partition in range(runtime.settings.feature_partitions)
        for message in read_all(runtime.settings.bootstrap, EXTRACT_REQUESTS, partition)
    ]
    assert [(again.url, again.attempt, again.not_before_ms) for again in sent] == [("https://a.example/1.jpg", 0, 0)]


@pytest.mark.usefixtures("environment")
def test_truncated_dead_letter_is_read_whole_from_where_it_came_and_put_back(
    runtime: Runtime, capsys: pytest.CaptureFixture[str]
) -> None:
    value = (b'END"}').rjust(MAX_EVENT_BYTES, b"y")
    where: list[tuple[int, int]] = []
    with EventProducer(runtime.settings.bootstrap) as producer:
        producer.send(
            PRODUCT_EVENTS,
            b"p9",
            value,
            delivered=lambda _e, message: where.append((message.partition(), message.offset())),
        )
    letter = make_dead_letter(
        reason="too_long", detail="long", stage="catalogue", transient=False, topic=PRODUCT_EVENTS,
        partition=where[0][0], offset=where[0][1], at_ms=1, key=b"p9", value=value,
    )  # fmt: skip
    with EventProducer(runtime.settings.bootstrap) as producer:
        producer.send(DEAD_LETTERS, b"p9", encode_dead_letter(letter))
    number = describe(runtime.settings.bootstrap, [DEAD_LETTERS])[DEAD_LETTERS].ends[0] - 1
    assert main(["dead-letters", "show", str(number)]) == 0
    assert 'END"}' in capsys.readouterr().out
    assert main(["dead-letters", "put-back", str(number)]) == 0
    found = read_all(runtime.settings.bootstrap, PRODUCT_EVENTS, where[0][0])
    assert [(message.key, message.value) for message in found if message.key == b"p9"] == [(b"p9", value)] * 2


@pytest.mark.usefixtures("environment")
def test_unknown_dead_letter_is_refused(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["dead-letters", "show", "999999"]) == 2
    assert "vitrine dead-letters list" in capsys.readouterr().err


@pytest.mark.usefixtures("environment")
def test_feature_store_is_rebuilt_from_the_log(runtime: Runtime, capsys: pytest.CaptureFixture[str]) -> None:
    from feature_store.features import FeatureStore
    from feature_store.rocks.store import RocksStore

    keys = [image_key(f"https://a.example/{number}.jpg") for number in range(50)]
    vectors = [np.eye(16, dtype="<f4")[number % 16].tobytes() for number in range(50)]
    with EventProducer(runtime.settings.bootstrap) as producer:
        for key, vector in zip(keys, vectors, strict=True):
            record = FeatureRecord(key, "x", vector, key * 2, 1, 1.0)
            producer.send(IMAGE_FEATURES, feature_topic_key(key, "x"), encode_feature(record))
    assert main(["rebuild-features", "--quiet"]) == 0
    assert "50 features written" in capsys.readouterr().out
    partitions = runtime.settings.feature_partitions
    reader = FeatureStore(RocksStore(runtime.settings.layout.feature_store, partitions), partitions).reader()
    found = reader.get_many(keys, "x")
    reader.close()
    assert [record.vector if record else None for record in found] == vectors


@pytest.mark.usefixtures("environment")
def test_catalogue_that_was_there_before_its_topic_is_recorded_once_and_comes_back_of_it(
    runtime: Runtime, capsys: pytest.CaptureFixture[str]
) -> None:
    settings = runtime.settings
    records = [ProductRecord(f"r{number}", number + 1, True, None, {"price": number}, []) for number in range(50)]
    store = ProductStore(live_catalogue(settings))
    for record in records:
        store.write(kafka_partition(record.product_id.encode(), settings.event_partitions), [record], record.sequence)
    store.close()
    assert record_catalogue(settings, begins_empty=False) == 50
    assert record_catalogue(settings, begins_empty=False) == 0
    settings.layout.catalogue_recorded.write_text("{")
    assert record_catalogue(settings, begins_empty=False) == 50
    with EventProducer(settings.bootstrap) as producer:
        later = ProductRecord("r7", 100, True, None, {"price": 700}, [])
        producer.send(CATALOGUE_RECORDS, b"r7", encode_record(later))
    assert main(["rebuild", "--quiet"]) == 2
    assert "move it away first" in capsys.readouterr().err
    settings.layout.catalogue_store.rename(settings.layout.home / "lost")
    assert main(["rebuild", "--quiet"]) == 0
    assert "50 products written, of 101 records; 0 refused" in capsys.readouterr().out
    reader = ProductReader(live_catalogue(settings))
    found = {record.product_id: record for partition in range(2) for record in reader.scan(partition)}
    reader.close()
    assert found == {record.product_id: record for record in records} | {"r7": later}


@pytest.mark.usefixtures("environment")
def test_status_shows_kafka_and_names_what_does_not_run(runtime: Runtime, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["status"]) == 1
    out = capsys.readouterr().out
    assert "product-events" in out
    assert "problem: Flink:" in out
    assert "problem: broker:" in out


def test_stop_ends_what_runs_and_a_new_start_finds_the_records(runtime: Runtime) -> None:
    assert runtime.stop() == [KAFKA, SUPERVISOR]
    assert runtime.running() == {}
    with pytest.raises(OperatorError, match="does not answer"):
        wait_for_kafka(runtime.settings.bootstrap, 0.0)
    runtime.start_kafka()
    assert len(read_all(runtime.settings.bootstrap, INDEX_DELTAS, 1)) == 500
