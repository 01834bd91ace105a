"""How the last publication went, for /metrics: whoever watches the blender learns that an index was refused."""

from __future__ import annotations

import asyncio
import logging

from generations.folder import Generations
from schemas.access.objects import FullIndexes
from schemas.errors import CorruptError
from schemas.full_index.publish_report import LAST_PUBLISH, PublishReport, decode_publish_report
from serving.blender.metrics import BlenderMetrics

log = logging.getLogger(__name__)


class Publication:
    """Reads where the generations lie, off the event loop."""

    def __init__(self, place: FullIndexes) -> None:
        self._generations = Generations(place)
        self._problem = ""

    async def look(self, metrics: BlenderMetrics) -> None:
        """Sets the gauges from what is there now; before the first publication nothing has failed."""
        report, problem = await asyncio.to_thread(self._read)
        metrics.alias_unreadable.set(bool(problem))
        if problem and problem != self._problem:
            log.error("event=generations_unreadable problem=%s", problem)
        self._problem = problem
        metrics.publish_failed.set(report is not None and not report.passed)
        metrics.check_failed.clear()
        for check in report.checks if report is not None else ():
            metrics.check_failed.labels(check.name).set(not check.passed)

    def _read(self) -> tuple[PublishReport | None, str]:
        problem = ""
        try:
            self._generations.alias()
        except (CorruptError, OSError) as error:
            problem = str(error)
        try:
            return decode_publish_report(self._generations.files.read(LAST_PUBLISH)), problem
        except FileNotFoundError:
            return None, problem
        except (CorruptError, OSError) as error:
            # It only tells; the alias and the generations are what counts.
            log.warning("event=publish_report_unreadable where=%s problem=%s", self._generations.where, error)
            return None, problem
