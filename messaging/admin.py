"""Creating and describing topics."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from confluent_kafka import Consumer, KafkaError, KafkaException, TopicPartition
from confluent_kafka.admin import (  # type: ignore[attr-defined]
    AdminClient,
    AlterConfigOpType,
    ConfigEntry,
    ConfigResource,
    NewTopic,
    OffsetSpec,
    ResourceType,
)

from messaging.access import client_options
from messaging.producer import _quiet
from schemas.access.kafka import Kafka
from schemas.errors import OperatorError, TransientError
from schemas.settings import Settings
from schemas.topics import INDEX_DELTAS, TopicSpec, changes_spec, in_sync_of, search_log_specs, topic_specs

BROKERS_S = 30.0
"""For as many brokers to be there as new topics are to have replicas: they are started one after the other."""


@dataclass(frozen=True, slots=True)
class TopicState:
    """A topic as the broker has it. `ends[p]`: the offset that partition p's next record will get."""

    name: str
    topic_id: str
    ends: list[int]
    beginnings: list[int]


def admin_client(bootstrap: Kafka, on_error: Callable[[KafkaError], None] | None = None) -> AdminClient:
    """`on_error`: told what librdkafka meets on the way, which its calls only know as a failure to get through."""
    options = client_options(bootstrap)
    if on_error is not None:
        options["error_cb"] = on_error
    return AdminClient(options, logger=_quiet)


def wait_for_kafka(bootstrap: Kafka, timeout_s: float = 60.0, broker: int = 0) -> None:
    """Returns once a broker answers, or once that one has joined the others.

    Raises `OperatorError` naming the address after `timeout_s`.
    """
    refusals: list[str] = []
    client = admin_client(bootstrap, lambda error: _note_refusal(error, refusals))
    deadline = time.monotonic() + timeout_s
    while True:
        try:
            found = client.list_topics(timeout=2).brokers
            if broker in found or (found and not broker):
                return
            problem = f"the broker {broker} has not joined" if found else "no broker is registered"
        except KafkaException as error:
            client.poll(0)
            problem = refusals[-1] if refusals else str(error)
        if time.monotonic() > deadline:
            raise OperatorError(
                f"Kafka at {bootstrap} does not answer ({problem}); is it started? vitrine start does so, "
                "vitrine status says what runs"
            )
        time.sleep(0.1)


def _note_refusal(error: KafkaError, refusals: list[str]) -> None:
    if error.code() in (KafkaError._AUTHENTICATION, KafkaError._SSL):
        refusals.append(error.str())


def ensure_topics(settings: Settings) -> list[str]:
    """Creates what is missing and returns those names; checks partition counts of what is there.

    The search log's retention is made what the settings say, also where it is there: it is about people. New topics
    get the replicas of the settings; of those that are there `messaging.replication` tells.

    Raises `OperatorError` when a topic has another number of partitions than
    the settings say: the placement of products and shards depends on it.
    """
    client = admin_client(settings.kafka)
    specs = topic_specs(
        event_partitions=settings.event_partitions,
        feature_partitions=settings.feature_partitions,
        delta_partitions=settings.partitions_of_deltas,
    )
    log_specs = search_log_specs(settings.search_log_days) if settings.search_log else []
    specs += log_specs
    try:
        present = client.list_topics(timeout=20).topics
    except KafkaException as error:
        raise OperatorError(f"Kafka at {settings.bootstrap} does not answer: {error}") from error
    if name := settings.database_topic:
        # However many partitions it has: whoever made it first, Debezium or we, chose them.
        found = present.get(name)
        specs.append(changes_spec(name, settings.event_partitions if found is None else len(found.partitions)))
    created = []
    for spec in specs:
        topic = present.get(spec.name)
        if topic is None:
            created.append(spec.name)
            continue
        if len(topic.partitions) != spec.partitions:
            raise OperatorError(
                f"topic {spec.name} has {len(topic.partitions)} partitions, the settings say {spec.partitions}; "
                f"put the old number back into the settings{_other_way(spec.name, len(topic.partitions))}"
            )
    if new := [spec for spec in specs if spec.name in created]:
        _create(client, new, settings.kafka_replicas)
        _await_leaders(client, specs)
    configure_topics(client, {spec.name: spec.config for spec in log_specs if spec.name not in created})
    return created


def replicated(replicas: int) -> dict[str, str]:
    """The configuration of a topic that has so many."""
    return {"min.insync.replicas": str(in_sync_of(replicas))}


def _create(client: AdminClient, specs: list[TopicSpec], replicas: int) -> None:
    """`replicas`: of each; 0: as many as the brokers give it by themselves."""
    further = replicated(replicas) if replicas else {}
    deadline = time.monotonic() + BROKERS_S
    missing = [
        NewTopic(spec.name, spec.partitions, replication_factor=replicas or -1, config={**spec.config, **further})
        for spec in specs
    ]
    while missing:
        refused = []
        futures = client.create_topics(missing, operation_timeout=20)
        for topic in missing:
            try:
                futures[topic.topic].result()
            except KafkaException as error:
                code = error.args[0].code()
                if code == KafkaError.TOPIC_ALREADY_EXISTS:
                    continue
                if code != KafkaError.INVALID_REPLICATION_FACTOR or time.monotonic() > deadline:
                    raise OperatorError(
                        f"topic {topic.topic} could not be created: {error}; see that as many brokers run as it is to "
                        "have replicas (VITRINE_KAFKA_REPLICAS)"
                    ) from error
                refused.append(topic)
        if missing := refused:
            time.sleep(0.5)


def configure_topics(client: AdminClient, configs: Mapping[str, Mapping[str, str]]) -> None:
    """Sets what `configs` say, by topic, of topics that are there; the rest of their configuration stays."""
    if not configs:
        return
    wanted = [
        ConfigResource(
            ResourceType.TOPIC,
            topic,
            incremental_configs=[
                ConfigEntry(name, value, incremental_operation=AlterConfigOpType.SET) for name, value in config.items()
            ],
        )
        for topic, config in configs.items()
    ]
    for resource, future in client.incremental_alter_configs(wanted, request_timeout=20).items():
        try:
            future.result()
        except KafkaException as error:
            raise OperatorError(f"the configuration of topic {resource.name} could not be set: {error}") from error


def _other_way(name: str, present: int) -> str:
    if name != INDEX_DELTAS:
        return ', or see "Another number of partitions" in docs/operations.md for how it gets more'
    return f" (VITRINE_DELTA_PARTITIONS={present}; the number of shards changes with `vitrine build --shards N`)"


def _await_leaders(client: AdminClient, specs: list[TopicSpec], timeout_s: float = 20.0) -> None:
    """Returns once every partition answers: its broker takes it up a moment after the controller made the topic."""
    wanted = {spec.name: list(range(spec.partitions)) for spec in specs}
    deadline = time.monotonic() + timeout_s
    while True:
        try:
            _offsets(client, wanted, OffsetSpec.latest())  # type: ignore[no-untyped-call]
            return
        except KafkaException as error:
            if time.monotonic() > deadline:
                raise OperatorError(f"new topics do not answer ({error}); see the broker's log") from error
            time.sleep(0.05)


def describe(bootstrap: Kafka, names: list[str]) -> dict[str, TopicState]:
    """State of the topics that exist. Raises `TransientError` when the broker does not answer."""
    client = admin_client(bootstrap)
    try:
        present = client.list_topics(timeout=10).topics
        wanted = [name for name in names if name in present]
        partitions = {name: sorted(present[name].partitions) for name in wanted}
        ends = _offsets(client, partitions, OffsetSpec.latest())  # type: ignore[no-untyped-call]
        beginnings = _offsets(client, partitions, OffsetSpec.earliest())  # type: ignore[no-untyped-call]
        return {
            name: TopicState(
                name,
                topic_id(bootstrap, name, client),
                [ends[name, p] for p in partitions[name]],
                [beginnings[name, p] for p in partitions[name]],
            )
            for name in wanted
        }
    except KafkaException as error:
        raise TransientError("kafka_unavailable", f"{bootstrap}: {error}") from error


def _offsets(client: AdminClient, partitions: dict[str, list[int]], spec: Any) -> dict[tuple[str, int], int]:
    wanted = {TopicPartition(name, p): spec for name, numbers in partitions.items() for p in numbers}
    if not wanted:
        return {}
    found = client.list_offsets(wanted, request_timeout=10)
    return {(tp.topic, tp.partition): int(future.result().offset) for tp, future in found.items()}


def offsets_at(bootstrap: Kafka, name: str, timestamp_ms: int) -> list[int]:
    """Per partition the offset of the first record stamped at that time (Unix, ms) or later; its end where none is.

    Raises `TransientError` when the broker does not answer, `OperatorError` when there is no such topic.
    """
    found = describe(bootstrap, [name])
    if name not in found:
        raise OperatorError(f"{bootstrap} has no topic {name}; vitrine start creates it")
    ends = found[name].ends
    try:
        wanted = {name: list(range(len(ends)))}
        offsets = _offsets(admin_client(bootstrap), wanted, OffsetSpec.for_timestamp(timestamp_ms))
    except KafkaException as error:
        raise TransientError("kafka_unavailable", f"{bootstrap}: {error}") from error
    return [end if offsets[name, p] < 0 else offsets[name, p] for p, end in enumerate(ends)]


def topic_id(bootstrap: Kafka, name: str, client: AdminClient | None = None) -> str:
    """Kafka's identity of the topic: another one once it was deleted and created anew."""
    from confluent_kafka import TopicCollection

    client = client or admin_client(bootstrap)
    futures = client.describe_topics(TopicCollection([name]), request_timeout=10)
    return str(futures[name].result().topic_id)


_COORDINATOR_COMES = frozenset(
    (KafkaError.NOT_COORDINATOR, KafkaError.COORDINATOR_NOT_AVAILABLE, KafkaError.COORDINATOR_LOAD_IN_PROGRESS)
)


def committed_offsets(bootstrap: Kafka, group: str, topic: str, partitions: int) -> list[int | None]:
    """What a consumer group has committed per partition; None where it has not.

    Asked through a consumer that never joins: the admin client's
    `list_consumer_group_offsets` crashes the process (SIGSEGV in librdkafka,
    confluent-kafka 2.16) while a new cluster has no group coordinator yet.
    """
    consumer = Consumer({**client_options(bootstrap), "group.id": group, "enable.auto.commit": False}, logger=_quiet)
    wanted = [TopicPartition(topic, p) for p in range(partitions)]
    deadline = time.monotonic() + 10
    try:
        while True:
            try:
                found = consumer.committed(wanted, timeout=10)
                break
            except KafkaException as error:
                if error.args[0].code() not in _COORDINATOR_COMES or time.monotonic() > deadline:
                    raise TransientError("kafka_unavailable", f"offsets of group {group}: {error}") from error
                time.sleep(0.2)
    finally:
        consumer.close()
    offsets = {tp.partition: tp.offset for tp in found}
    return [offsets[p] if offsets[p] >= 0 else None for p in range(partitions)]


def forget_positions(bootstrap: Kafka, group: str) -> None:
    """Deletes what a group has committed, so that its next reader begins at the oldest record; harmless without any.

    For a group without members, which Flink's sources never are. Raises
    `TransientError` when the broker does not answer, `OperatorError` when it refuses.
    """
    client = admin_client(bootstrap)
    deadline = time.monotonic() + 10
    while True:
        try:
            client.delete_consumer_groups([group], request_timeout=10)[group].result()
            return
        except KafkaException as error:
            code = error.args[0].code()
            if code == KafkaError.GROUP_ID_NOT_FOUND:
                return
            if code == KafkaError.NON_EMPTY_GROUP:
                raise OperatorError(
                    f"consumers are members of the group {group}: stop them, it is the job's"
                ) from error
            if code not in _COORDINATOR_COMES or time.monotonic() > deadline:
                raise TransientError("kafka_unavailable", f"offsets of group {group}: {error}") from error
            time.sleep(0.2)
