"""What every answer to a search says besides its products: how fresh, how whole, from where, and how long it took."""

from __future__ import annotations

import time
from collections.abc import Sequence
from typing import Any, NamedTuple

from serving.blender.asking.searching import Found
from serving.blender.metrics import BlenderMetrics
from serving.blender.showing.answers import Result, SearchAnswer, TookMs, rfc3339
from serving.blender.writing.search_log import SearchLog


class Took(NamedTuple):
    """Of `time.perf_counter`: when the question came, when its search began; and the seconds of embedding."""

    began: float
    search_began: float
    embed_s: float


def watermark_of(found: Sequence[Found]) -> int:
    """Up to when all parts are true, Unix ms; 0: not known."""
    return min(part.answer.watermark_ms for part in found)


class Telling:
    """Words answers, and counts them."""

    def __init__(self, metrics: BlenderMetrics, search_log: SearchLog | None) -> None:
        self._metrics = metrics
        self._log = search_log

    def tell(
        self, found: Sequence[Found], results: list[Result], kinds: tuple[str, ...], took: Took, **further: Any
    ) -> SearchAnswer:
        """The answer that shows `results`, of what was found by one generation. `further`: fields that few have."""
        missing = sorted({shard for part in found for shard in part.answer.missing_shards})
        if missing:
            self._metrics.partial.inc()
        now = time.perf_counter()
        self._metrics.search_seconds.observe(now - took.search_began)
        self._metrics.answered(kinds, not results)
        return SearchAnswer(
            results=results,
            watermark=rfc3339(watermark_of(found)),
            partial=bool(missing),
            missing_shards=missing,
            pending_images=max(part.answer.pending_images for part in found),
            refused_images=max(part.answer.refused_images for part in found),
            took_ms=TookMs(
                total=round((now - took.began) * 1000, 2),
                embed=round(took.embed_s * 1000, 2),
                search=round((now - took.search_began) * 1000, 2),
            ),
            generation=found[0].answer.generation,
            search_id=None if self._log is None else self._log.new_id(),
            **further,
        )
