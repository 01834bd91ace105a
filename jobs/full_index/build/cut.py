"""The cut of a build: a moment of the running stream, in offsets and in copies of the stores.

Taken backwards: first the end offsets of `index-deltas`, then the copies. The
stages store before they emit, so the copies hold everything that the offsets
stand for; what comes after the offsets is applied over the built files, and
what comes twice changes nothing. See docs/adr/0012.
"""

from __future__ import annotations

import logging
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from indexing.shard.progress import SourceProgress
from jobs.full_index.truth.copies import complete_catalogue, copy_catalogue, copy_features
from jobs.full_index.truth.live_log import log_state
from messaging.admin import describe
from messaging.ranges import read_range
from schemas.access.kafka import Kafka
from schemas.deltas.check import DeltaCheck
from schemas.deltas.delta import Progress
from schemas.errors import OperatorError
from schemas.ids import sequence
from schemas.settings import Settings
from schemas.topics import INDEX_DELTAS

log = logging.getLogger(__name__)

FIRST_RECORDS = 200
MOST_RECORDS = 20_000
"""Records before the end that are read for progress: heartbeats put it into every partition, twice a second."""


@dataclass(frozen=True, slots=True)
class Cut:
    """What a build reads; nobody writes it any more.

    `delta_ends[p]`: the next offset of partition p of `index-deltas`.
    `progress[p]`: what the records of that partition before it said of
    `product-events`. `oldest[p]`: sequence of the oldest event that partition
    p of `product-events` still holds, 0 when it holds all; tombstones of
    events before it are left out.
    """

    catalogue: Path
    features: Path
    event_partitions: int
    feature_partitions: int
    delta_ends: Sequence[int]
    progress: Sequence[Sequence[Progress]]
    oldest: Sequence[int]

    @property
    def delta_partitions(self) -> int:
        return len(self.delta_ends)


def take_cut(settings: Settings, folder: Path) -> Cut:
    """Copies the stores into the new folder `folder`. Raises `OperatorError` when the topics are not there."""
    state = log_state(settings.kafka, settings.layout.log_epoch)
    found = describe(settings.kafka, [INDEX_DELTAS])
    if INDEX_DELTAS not in found:
        raise OperatorError(f"{settings.bootstrap} has no topic {INDEX_DELTAS}; vitrine start creates it")
    topic = found[INDEX_DELTAS]
    check = DeltaCheck.from_settings(settings)
    progress = [
        last_progress(settings.kafka, partition, begin, end, settings.event_partitions, check)
        for partition, (begin, end) in enumerate(zip(topic.beginnings, topic.ends, strict=True))
    ]
    catalogue, features = folder / "catalogue", folder / "features"
    copy_catalogue(settings, catalogue)
    complete_catalogue(catalogue, settings.event_partitions)
    copy_features(settings, features)
    log.info("event=cut_taken delta_ends=%s folder=%s", topic.ends, folder)
    return Cut(
        catalogue=catalogue,
        features=features,
        event_partitions=settings.event_partitions,
        feature_partitions=settings.feature_partitions,
        delta_ends=topic.ends,
        progress=progress,
        oldest=[sequence(state.epoch, begin) if begin else 0 for begin in state.beginnings],
    )


def last_progress(
    bootstrap: Kafka, partition: int, begin: int, end: int, event_partitions: int, check: DeltaCheck
) -> list[Progress]:
    """How far the records of a partition of `index-deltas` before `end` reach into `product-events`.

    Reads back from the end until all event partitions were seen, `MOST_RECORDS`
    at most: an index without the rest only learns its watermark a heartbeat later.
    What `check` does not let pass says nothing, as it does to a searcher.
    """
    records, seen = FIRST_RECORDS, SourceProgress()
    while True:
        start = max(begin, end - records)
        seen = SourceProgress()
        for message in read_range(bootstrap, INDEX_DELTAS, partition, start, end):
            if message.value:
                seen.advance(check.admit(message.value, partition).batch.progress)
        if len(seen.table()) >= event_partitions or start == begin or records >= MOST_RECORDS:
            return seen.table()
        records *= 10
