"""Bring topics that are there to further brokers, so that each has as many replicas as the settings say.

Kafka copies while all goes on; the command waits until every replica is up to date, and only then asks that all but
one have a record before it counts as written. Interrupted, or with another broker since, it is run again.
"""

from __future__ import annotations

import argparse
import logging
import time
from collections.abc import Iterator

from cli.runtime.kafka.reassigning import reassign
from cli.topics_view import topics_of
from messaging.admin import admin_client, configure_topics, replicated, wait_for_kafka
from messaging.replication import INTERNAL, further_replicas, replications
from schemas.errors import OperatorError, TransientError
from schemas.settings import Settings, load_settings

log = logging.getLogger(__name__)

NAME = "replicate"
_KAFKA_S = 10.0
_LOOK_S = 0.5
_SAY_S = 10.0


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """It has none: the settings say it all."""


def run(arguments: argparse.Namespace) -> int:
    settings = load_settings()
    wanted = settings.kafka_replicas
    if wanted == 0:
        raise OperatorError(
            "the settings do not say how many replicas: set VITRINE_KAFKA_REPLICAS (3, of three brokers)"
        )
    wait_for_kafka(settings.kafka, _KAFKA_S)
    names = [*topics_of(settings.database_topic), *INTERNAL]
    brokers, found = replications(settings.kafka, names)
    plan = further_replicas(found, brokers, wanted)
    if plan:
        reassign(settings.kafka, plan)
        for missing in _copying(settings, names, wanted):
            print(f"{missing} partitions are copied on")
    configure_topics(admin_client(settings.kafka), {name: replicated(wanted) for name in found})
    print(f"{', '.join(sorted(plan))}: {wanted} replicas" if plan else f"every topic has {wanted} replicas, or more")
    return 0


def _copying(settings: Settings, names: list[str], wanted: int) -> Iterator[int]:
    """How many partitions lack replicas that are up to date, now and then, until none does."""
    said = time.monotonic()
    while True:
        try:
            topics = replications(settings.kafka, names)[1].values()
        except TransientError as error:
            log.info("event=replicas_awaited problem=%s", error)
        else:
            missing = sum(len(there) < wanted for topic in topics for there in topic.in_sync)
            if missing == 0:
                return
            if time.monotonic() - said > _SAY_S:
                said = time.monotonic()
                yield missing
        time.sleep(_LOOK_S)
