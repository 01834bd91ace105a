"""Waiting until the index reflects the log, and saying meanwhile how far it is."""

from __future__ import annotations

import time

from cli.inspection import ShardView, first_replicas, is_whole, shard_views
from cli.runtime.progress import Progress
from cli.tables import moment
from cli.topics_view import topic_views
from schemas.access.kafka import Kafka
from schemas.access.tier import TierAccess
from schemas.errors import TransientError
from schemas.topics import EXTRACT_REQUESTS

STALLED_S = 90.0


def wait_until_searchable(
    tier: TierAccess, kafka: Kafka, up_to_ms: int, progress: Progress, stalled_s: float = STALLED_S
) -> int:
    """Until every shard reflects all events up to `up_to_ms` and no image waits for its vector.

    Returns the images that extraction gave up (dead letters). Some of them are
    called pending still where an index of an earlier version remembers them:
    that is noticed by an empty queue and no change for a while. Raises
    `TransientError('stalled', ...)` when nothing moves for `stalled_s`
    although there is work.
    """
    last: object = None
    moved = time.monotonic()
    while True:
        try:
            views = first_replicas(shard_views(tier))
        except TransientError:
            views = []
        applied = is_whole(views) and all(view.watermark_ms > up_to_ms for view in views)
        pending = sum(view.pending for view in views)
        refused = sum(view.refused for view in views)
        if applied and pending == 0:
            return refused
        state = [(view.shard, view.images, view.pending, view.watermark_ms > up_to_ms) for view in views]
        if state != last:
            last, moved = state, time.monotonic()
        idle_s = time.monotonic() - moved
        if applied and idle_s > stalled_s / 3 and _queue_is_empty(kafka):
            return pending + refused
        if idle_s > stalled_s:
            raise TransientError(
                "stalled",
                f"{_position(views, pending)}: nothing has moved for {idle_s:.0f} s; "
                "vitrine status shows the job's latest failure",
            )
        progress.waiting(_position(views, pending))
        time.sleep(0.2)


def _queue_is_empty(kafka: Kafka) -> bool:
    """Whether extraction has read all its requests, those sent back for another attempt included."""
    try:
        return all(topic.lag == 0 for topic in topic_views(kafka) if topic.name == EXTRACT_REQUESTS)
    except TransientError:
        return False


def _position(views: list[ShardView], pending: int) -> str:
    searchable = sum(view.searchable for view in views)
    watermark = min((view.watermark_ms for view in views), default=0)
    return (
        f"the index: {searchable} images searchable, {pending} wait for their vector, events up to {moment(watermark)}"
    )
