"""The topics of a system and how far the stages that read them are behind."""

from __future__ import annotations

import msgspec

from messaging.admin import committed_offsets, describe
from schemas.access.kafka import Kafka
from schemas.topics import (
    CATALOGUE_RECORDS,
    CHANGES_GROUP,
    CLICKS,
    DEAD_LETTERS,
    EXTRACT_REQUESTS,
    IMAGE_FEATURES,
    INDEX_DELTAS,
    PRODUCT_EVENTS,
    SEARCH_LOG,
    STAGE_GROUPS,
)

TOPICS = (PRODUCT_EVENTS, EXTRACT_REQUESTS, IMAGE_FEATURES, CATALOGUE_RECORDS, INDEX_DELTAS, DEAD_LETTERS)
"""That every system has."""
_SHOWN = (*TOPICS, SEARCH_LOG, CLICKS)


class TopicView(msgspec.Struct, frozen=True, kw_only=True):
    """`lag`: records behind the reading stage's last checkpoint; None where no stage reads."""

    name: str
    partitions: int
    ends: list[int]
    records: int
    lag: int | None = None


def topics_of(changes: str = "") -> list[str]:
    """Every topic that a system may have, that of a database's `changes` last."""
    return [*_SHOWN, changes] if changes else list(_SHOWN)


def topic_views(kafka: Kafka, changes: str = "") -> list[TopicView]:
    """The topics that exist, that of a database's `changes` last. Raises `TransientError` where Kafka is silent."""
    groups = STAGE_GROUPS | ({changes: CHANGES_GROUP} if changes else {})
    shown = topics_of(changes)
    states = describe(kafka, shown)
    views = []
    for name in shown:
        if (state := states.get(name)) is None:
            continue
        lag = None
        if (group := groups.get(name)) is not None:
            committed = committed_offsets(kafka, group, name, len(state.ends))
            positions = [
                begin if offset is None else offset for offset, begin in zip(committed, state.beginnings, strict=True)
            ]
            lag = sum(max(0, end - position) for end, position in zip(state.ends, positions, strict=True))
        views.append(
            TopicView(
                name=name,
                partitions=len(state.ends),
                ends=state.ends,
                records=sum(state.ends) - sum(state.beginnings),
                lag=lag,
            )
        )
    return views
