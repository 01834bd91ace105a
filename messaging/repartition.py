"""Topics get the number of partitions that the settings say, once nothing in them is left to be read.

`product-events` is made anew, so that its offsets begin a new epoch: a
product that moves from one partition to another gets no sequence below those
it had. The compacted topics and the requests only get further partitions:
what reads them asks for a record's own sequence or time, and never for where
it lies.
"""

from __future__ import annotations

import logging
import time
from typing import Any

from confluent_kafka import KafkaError, KafkaException
from confluent_kafka.admin import (  # type: ignore[attr-defined]
    AdminClient,
    AlterConfigOpType,
    ConfigEntry,
    ConfigResource,
    NewPartitions,
    ResourceType,
)

from messaging.admin import TopicState, admin_client, committed_offsets, describe, ensure_topics
from messaging.producer import EventProducer
from schemas.access.kafka import Kafka
from schemas.errors import OperatorError, TransientError
from schemas.settings import Settings
from schemas.topics import (
    CATALOGUE_GROUP,
    CATALOGUE_RECORDS,
    EXTRACT_REQUESTS,
    IMAGE_FEATURES,
    MAX_MESSAGE_BYTES,
    PRODUCT_EVENTS,
)

log = logging.getLogger(__name__)

_REQUEST_S = 20
_NOTHING = "0"
_PROBE = b'{"type": "heartbeat"}'


def repartition(settings: Settings) -> dict[str, int]:
    """Returns by topic how many partitions those have now that had fewer; run again, it ends what was interrupted.

    The streaming job must not run. Raises `OperatorError`, with nothing
    changed, for fewer partitions than there are, and where `product-events`
    has records that the job has not read.
    """
    wanted = {
        PRODUCT_EVENTS: settings.event_partitions,
        CATALOGUE_RECORDS: settings.event_partitions,
        EXTRACT_REQUESTS: settings.feature_partitions,
        IMAGE_FEATURES: settings.feature_partitions,
    }
    found = describe(settings.kafka, list(wanted))
    for name, partitions in wanted.items():
        if name in found and len(found[name].ends) > partitions:
            raise OperatorError(
                f"topic {name} has {len(found[name].ends)} partitions, the settings say {partitions}: a topic cannot "
                "get fewer; put the number back (VITRINE_PARALLELISM may be smaller at any time)"
            )
    grown = {name: count for name, count in wanted.items() if name in found and len(found[name].ends) < count}
    client = admin_client(settings.kafka)
    if PRODUCT_EVENTS in grown:
        _remove_read_topic(client, settings.kafka, found[PRODUCT_EVENTS])
    for name in grown:
        if name != PRODUCT_EVENTS:
            _done(client.create_partitions([NewPartitions(name, grown[name])])[name], f"{name} cannot be grown")
    if grown:
        _await_partitions(settings.kafka, {name: wanted[name] for name in grown if name != PRODUCT_EVENTS})
    ensure_topics(settings)
    return grown


def _remove_read_topic(client: AdminClient, kafka: Kafka, topic: TopicState) -> None:
    """Whoever writes meanwhile is refused: what Kafka has acknowledged is read, or keeps the topic."""
    _check_read(kafka, topic)
    _allow_bytes(client, _NOTHING)
    try:
        probes = _probe_until_closed(kafka, len(topic.ends))
        closed = describe(kafka, [PRODUCT_EVENTS])[PRODUCT_EVENTS]
        _check_read(kafka, closed, probes)
    except BaseException:
        _allow_bytes(client, MAX_MESSAGE_BYTES)
        raise
    _done(client.delete_topics([PRODUCT_EVENTS], operation_timeout=_REQUEST_S)[PRODUCT_EVENTS], "it cannot be removed")
    log.info("event=topic_removed name=%s ends=%s", PRODUCT_EVENTS, closed.ends)


def _check_read(kafka: Kafka, topic: TopicState, ours: int = 0) -> None:
    """Raises `OperatorError` where more than `ours` of its records were not read."""
    committed = committed_offsets(kafka, CATALOGUE_GROUP, PRODUCT_EVENTS, len(topic.ends))
    unread = sum(end - (done or 0) for done, end in zip(committed, topic.ends, strict=True)) - ours
    if unread:
        raise OperatorError(
            f"{unread} records of {PRODUCT_EVENTS} are not read yet: have the shop's back end wait, and with the old "
            "number vitrine start, vitrine stop heartbeat, wait until vitrine status shows no lag, vitrine stop"
        )


def _allow_bytes(client: AdminClient, most: str) -> None:
    """Of a record in the topic: 0 closes it to every writer, a moment later."""
    entry = ConfigEntry("max.message.bytes", most, incremental_operation=AlterConfigOpType.SET)
    resource = ConfigResource(ResourceType.TOPIC, PRODUCT_EVENTS, incremental_configs=[entry])
    for future in client.incremental_alter_configs([resource], request_timeout=_REQUEST_S).values():
        _done(future, "it cannot be closed to writers")


def _probe_until_closed(kafka: Kafka, partitions: int) -> int:
    """Writes heartbeats until each partition's leader refuses them; returns how many were taken before."""
    taken: list[int] = []
    refused: set[int] = set()
    deadline = time.monotonic() + _REQUEST_S
    with EventProducer(kafka) as producer:
        while len(refused) < partitions:
            if time.monotonic() > deadline:
                raise OperatorError(f"{PRODUCT_EVENTS} could not be closed to writers; see the broker's log")
            for partition in set(range(partitions)) - refused:

                def told(error: Any, _message: Any, partition: int = partition) -> None:
                    if error is None:
                        taken.append(partition)
                    elif error.code() == KafkaError.MSG_SIZE_TOO_LARGE:
                        refused.add(partition)

                producer.send(PRODUCT_EVENTS, None, _PROBE, partition, told)
            producer.flush()
            time.sleep(0.1)
    return len(taken)


def _done(future: Any, problem: str) -> None:
    try:
        future.result()
    except KafkaException as error:
        raise OperatorError(f"{problem}: {error}; mend it, and run the command again") from error


def _await_partitions(kafka: Kafka, wanted: dict[str, int], timeout_s: float = 20.0) -> None:
    """A broker takes new partitions up a moment after the controller has made them."""
    deadline = time.monotonic() + timeout_s
    while True:
        try:
            found = describe(kafka, list(wanted))
            if all(len(found[name].ends) == count for name, count in wanted.items()):
                return
        except TransientError as error:
            log.debug("event=partitions_awaited problem=%s", error)
        if time.monotonic() > deadline:
            raise OperatorError(f"new partitions of {', '.join(wanted)} do not answer; see the broker's log")
        time.sleep(0.1)
