"""How long a replica goes on showing what was taken down, by the log's clock."""

from __future__ import annotations

from collections.abc import Sequence

from messaging.producer import now_ms
from schemas.deltas.delta import Progress
from serving.searcher.metrics import SearcherMetrics

LATE_S = 1.0
"""A takedown that is shown for longer is counted as late, for an alert."""


def note_takedowns(images: int, progress: Sequence[Progress], metrics: SearcherMetrics) -> None:
    """To be called once a batch was applied that took so many images down which queries were shown until then.

    They are no younger than `progress` says: that is the stamp of the last
    event that the batch came of. One without progress is the first part of a
    larger one, and is not counted. Clocks of Kafka and of this machine are compared.
    """
    if not images or not progress:
        return
    after_s = max(0.0, (now_ms() - max(each.timestamp_ms for each in progress)) / 1000)
    metrics.removal_seconds.observe(after_s)
    if after_s > LATE_S:
        metrics.late_removals.inc(images)
