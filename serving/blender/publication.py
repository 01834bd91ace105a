"""How the last publication went, for /metrics: whoever watches the blender learns that an index was refused."""

from __future__ import annotations

import asyncio
import logging

from generations.folder import Generations
from schemas.access.objects import FullIndexes
from schemas.errors import CorruptError, OperatorError
from schemas.full_index.generation import LIVE
from schemas.full_index.publish_report import LAST_PUBLISH, PublishReport, decode_publish_report
from serving.blender.metrics import BlenderMetrics

log = logging.getLogger(__name__)


class Publication:
    """Reads where the generations lie, off the event loop."""

    def __init__(self, place: FullIndexes) -> None:
        self._generations = Generations(place)
        self._problem = ""
        self._read_name = LIVE
        self._recalls: list[float] = []

    async def look(self, metrics: BlenderMetrics) -> None:
        """Sets the gauges from what is there now; before the first publication nothing has failed."""
        report, problem = await asyncio.to_thread(self._read)
        metrics.alias_unreadable.set(bool(problem))
        if problem and problem != self._problem:
            log.error("event=generations_unreadable problem=%s", problem)
        self._problem = problem
        metrics.built(self._recalls)
        metrics.published.set(0 if report is None else report.finished_ms / 1000)
        metrics.publish_failed.set(report is not None and not report.passed)
        metrics.check_failed.clear()
        for check in report.checks if report is not None else ():
            metrics.check_failed.labels(check.name).set(not check.passed)

    def _read(self) -> tuple[PublishReport | None, str]:
        problem = ""
        try:
            alias = self._generations.alias()
        except (CorruptError, OSError) as error:
            problem = str(error)
        else:
            self._read_recalls(LIVE if alias is None else alias.serving)
        try:
            return decode_publish_report(self._generations.files.read(LAST_PUBLISH)), problem
        except FileNotFoundError:
            return None, problem
        except (CorruptError, OSError) as error:
            # It only tells; the alias and the generations are what counts.
            log.warning("event=publish_report_unreadable where=%s problem=%s", self._generations.where, error)
            return None, problem

    def _read_recalls(self, name: str) -> None:
        """What the build of that generation measured, by shard; read when the name changes."""
        if name == self._read_name:
            return
        self._read_name, self._recalls = name, []
        try:
            self._recalls = [] if name == LIVE else [shard.recall for shard in self._generations.read(name).shards]
        except (CorruptError, OperatorError, OSError) as error:
            # Searchers refuse it and say so; here it only has no recall to show.
            log.warning("event=recall_unknown generation=%s problem=%s", name, error)
