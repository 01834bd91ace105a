"""The topics: names, keys, retention. `messaging.admin` creates them from this table."""

from __future__ import annotations

import re
from dataclasses import dataclass

from schemas.errors import OperatorError

PRODUCT_EVENTS = "product-events"
EXTRACT_REQUESTS = "extract-requests"
IMAGE_FEATURES = "image-features"
CATALOGUE_RECORDS = "catalogue-records"
INDEX_DELTAS = "index-deltas"
DEAD_LETTERS = "dead-letters"
SEARCH_LOG = "search-log"
CLICKS = "clicks"

CATALOGUE_GROUP = "vitrine-catalogue"
EXTRACTION_GROUP = "vitrine-extraction"
CHANGES_GROUP = "vitrine-changes"
"""Of the changes' stage, which reads the topic of the setting `database_topic`."""
STAGE_GROUPS = {PRODUCT_EVENTS: CATALOGUE_GROUP, EXTRACT_REQUESTS: EXTRACTION_GROUP}
"""By topic the consumer group under which its stage commits how far it is."""

_OURS = frozenset(
    (
        PRODUCT_EVENTS,
        EXTRACT_REQUESTS,
        IMAGE_FEATURES,
        CATALOGUE_RECORDS,
        INDEX_DELTAS,
        DEAD_LETTERS,
        SEARCH_LOG,
        CLICKS,
    )
)

DAY_MS = 86_400_000
MAX_MESSAGE_BYTES = str(16 * 1024 * 1024)
"""Of a record of any topic of ours."""
SEARCH_LOG_PARTITIONS = 4
"""Of both its topics, so that the clicks on an answer lie in the partition of its search."""


def in_sync_of(replicas: int) -> int:
    """How many of a topic's replicas must have a record before it counts as written: one may be away, the last not."""
    return max(1, replicas - 1)


@dataclass(frozen=True, slots=True)
class TopicSpec:
    """One topic and the settings that its meaning depends on."""

    name: str
    partitions: int
    config: dict[str, str]


def topic_specs(*, event_partitions: int, feature_partitions: int, delta_partitions: int) -> list[TopicSpec]:
    """All topics for these counts. `product-events` is stamped by the broker: the watermark stands on that clock."""
    large = {"max.message.bytes": MAX_MESSAGE_BYTES}
    kept = {"retention.ms": str(8 * DAY_MS), **large}
    return [
        TopicSpec(PRODUCT_EVENTS, event_partitions, {"message.timestamp.type": "LogAppendTime", **kept}),
        TopicSpec(EXTRACT_REQUESTS, feature_partitions, dict(kept)),
        TopicSpec(IMAGE_FEATURES, feature_partitions, {"cleanup.policy": "compact", **large}),
        TopicSpec(CATALOGUE_RECORDS, event_partitions, {"cleanup.policy": "compact", **large}),
        TopicSpec(INDEX_DELTAS, delta_partitions, dict(kept)),
        TopicSpec(DEAD_LETTERS, 1, {"retention.ms": str(30 * DAY_MS), **large}),
    ]


def changes_spec(name: str, partitions: int) -> TopicSpec:
    """The topic of a database's changes, where nobody has made it yet. Raises `OperatorError` for a name of ours."""
    if name in _OURS or not re.fullmatch(r"[A-Za-z0-9._-]{1,249}", name):
        raise OperatorError(
            f"database_topic: {name!r} is a topic of ours, or no topic's name; name the one that Debezium writes into"
        )
    return TopicSpec(name, partitions, {"retention.ms": str(8 * DAY_MS), "max.message.bytes": MAX_MESSAGE_BYTES})


def search_log_specs(days: int) -> list[TopicSpec]:
    """The topics of the search log, which there are only where the shop wants it; kept for `days`.

    Kafka removes a segment as a whole, a day's worth of records: the oldest are a day over it when they go.
    """
    kept = {"retention.ms": str(days * DAY_MS), "segment.ms": str(DAY_MS)}
    return [TopicSpec(name, SEARCH_LOG_PARTITIONS, dict(kept)) for name in (SEARCH_LOG, CLICKS)]
