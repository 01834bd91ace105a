"""Several extractors beside each other: a child process for each, and one rule for how long a batch waits."""

from __future__ import annotations

import threading
import time
from collections.abc import Mapping

from feature_store.features import FeatureWriter
from jobs.pipeline.extraction.config import ExtractionConfig
from jobs.pipeline.extraction.extractors import ExtractorSpec
from jobs.pipeline.extraction.supervisor import ChildSupervisor
from jobs.pipeline.extraction.worker import ExtractionWorker, Result
from jobs.pipeline.stage import Metrics

BACKLOG_BATCHES = 8
"""Images of a further extractor under way at most, in batches of the network: what its child holds in memory.

Who asks for many (a full index for another extractor) has no more of them
outstanding: a batch then never waits for room, and live images pass by.
"""
FEW = 4
"""So many images of a further extractor under way are live ones, worth waiting for; more are somebody's backlog."""

Address = tuple[str, bytes]
"""Extractor id and image key."""


class ExtractionSchedule:
    """Owned by one thread. The main extractor's process starts at once, another's with its first image.

    An external extractor has none: nothing is to be done for its images but to store what they bring.

    The main extractor's images are waited for as `ExtractionWorker.waits` says.
    Further extractors must not hold them up: theirs are waited for as well,
    but for `grace_s` a batch at most, and only while no more than `FEW` of them
    are under way. Else they go round, and are answered when they come back.
    Only a full backlog makes a batch wait until there is room for the next
    one, for else the queue would only spin.
    """

    def __init__(self, config: ExtractionConfig, features: FeatureWriter, metrics: Metrics) -> None:
        self._config = config
        self._features = features
        self._metrics = metrics
        self._specs = {spec.extractor_id: spec for spec in config.extractors}
        self._arrived = threading.Event()
        self._children: dict[str, ChildSupervisor] = {}
        self._started: dict[str, ExtractionWorker] = {}
        self._main = None if config.main.external else self._start(config.main)

    @property
    def extractor_ids(self) -> list[str]:
        """Whose images are extracted here, the main one first."""
        return list(self._specs)

    @property
    def pids(self) -> dict[str, int]:
        """The processes that were started, by extractor id."""
        return {extractor_id: child.pid for extractor_id, child in self._children.items()}

    def collect(self) -> None:
        """Stores what has come in since the last batch, without waiting."""
        for extraction in self._started.values():
            extraction.advance()

    def run(self, wanted: Mapping[str, Mapping[bytes, str]]) -> dict[Address, Result]:
        """Works on the wanted images (by extractor id, key to URL) and on what was left under way.

        Returns what came of the wanted ones, of none of which the extractor is
        external; one that is missing from it is still under way, or could not be begun with.
        """
        grace_s = self._config.grace_s
        further = []
        for extractor_id, images in wanted.items():
            extraction = self._of(extractor_id)
            if extraction is self._main:
                extraction.begin(images)
            else:
                extraction.begin(images, BACKLOG_BATCHES * self._config.batch)
                further.append(extraction)
        until = time.monotonic() + grace_s
        while (self._main is not None and self._main.waits(grace_s)) or any(
            self._is_waited_for(each, until) for each in further
        ):
            self._arrived.wait(min(0.1, grace_s))
            self._arrived.clear()
            self.collect()
        self._metrics.gauge("images_under_way", sum(each.under_way for each in self._started.values()))
        return {
            (extractor_id, key): result
            for extractor_id in wanted
            for key, result in self._started[extractor_id].end().items()
        }

    def again_s(self, address: Address) -> float:
        """When to ask again for an image that is under way, or was not taken on."""
        extractor_id, key = address
        return self._started[extractor_id].again_s(key, self._config.retry_s)

    def close(self) -> None:
        """Ends the processes; images under way are dropped (their requests are in Kafka)."""
        for child in self._children.values():
            child.close()

    def _is_waited_for(self, extraction: ExtractionWorker, until: float) -> bool:
        batch, grace_s = self._config.batch, self._config.grace_s
        if extraction.active > (BACKLOG_BATCHES - 1) * batch:
            return extraction.progresses(grace_s)
        return extraction.active <= FEW and time.monotonic() < until and extraction.waits(grace_s)

    def _of(self, extractor_id: str) -> ExtractionWorker:
        return self._started.get(extractor_id) or self._start(self._specs[extractor_id])

    def _start(self, spec: ExtractorSpec) -> ExtractionWorker:
        name = spec.extractor_id
        child = self._children[name] = ChildSupervisor(self._config.configure(spec), self._arrived)
        extraction = self._started[name] = ExtractionWorker(child, self._features, name, self._metrics)
        return extraction
