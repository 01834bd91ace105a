"""The orders that full indexes learned from clicks, each with its generation, where they are used."""

from __future__ import annotations

import asyncio
import logging
from collections import OrderedDict
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from generations.folder import Generations
from generations.held import MOST_HELD, HeldParts
from indexing.ranking import part
from indexing.ranking.features import FEATURES_ID
from indexing.ranking.model import RankModel
from schemas.full_index.generation import LIVE, Generation
from schemas.full_index.learned import LearnedPart
from serving.blender.metrics import BlenderMetrics

log = logging.getLogger(__name__)

WAIT_S = 1.0
"""So long a question waits for its order to be read; then it is answered by relevance."""


class LearnedRanks:
    """Gives a model or None, and never raises: products have an order without it. One event loop.

    Files are read on one thread of its own: a model of some 30 kB.
    """

    def __init__(self, folder: Path, metrics: BlenderMetrics) -> None:
        self._held = HeldParts(Generations(folder), part.KIND, self._decode)
        self._metrics = metrics
        self._known: OrderedDict[str, RankModel | None] = OrderedDict()
        self._following = ""
        self._complained: set[str] = set()
        self._thread = ThreadPoolExecutor(1, thread_name_prefix="ranking")

    def follow(self, generation: str) -> None:
        """Told again and again what serves; begins to read its model."""
        if generation and generation != self._following:
            self._following = generation
            self._thread.submit(self._safely, generation)

    async def of(self, generation: str) -> RankModel | None:
        """None: that generation has no model that is used, or it is not there yet."""
        if not generation or generation == LIVE:
            return None
        if generation in self._known:
            return self._known[generation]
        try:
            work = asyncio.get_running_loop().run_in_executor(self._thread, self._safely, generation)
        except RuntimeError:  # closed
            return None
        try:
            found, sure = await asyncio.wait_for(asyncio.shield(work), WAIT_S)
        except TimeoutError:
            return None
        if sure:
            self._known[generation] = found
            while len(self._known) > MOST_HELD:
                self._known.popitem(last=False)
        return found

    def close(self) -> None:
        self._thread.shutdown(wait=False, cancel_futures=True)

    # -- on the thread -------------------------------------------------------------------------

    def _safely(self, generation: str) -> tuple[RankModel | None, bool]:
        """(the model, whether that will stay so)."""
        try:
            return self._held.get(generation), self._held.is_sure(generation)
        except Exception as error:  # noqa: BLE001 - whatever is wrong with a model, products have an order without it
            self._held.put_aside(generation)
            self._metrics.learned_rank_failures.inc()
            if str(error) not in self._complained:
                self._complained.add(str(error))
                log.error("event=learned_rank_unusable generation=%s next=by_relevance problem=%s", generation, error)
            return None, False

    def _decode(self, generation: Generation, entry: LearnedPart, data: bytes) -> RankModel | None:
        found = part.read(data, entry)
        if found.features_id != FEATURES_ID or entry.inputs.get("extractor_id") != generation.extractor_id:
            log.warning("event=learned_rank_of_others generation=%s inputs=%s here=%s extractor=%s", generation.name,
                        entry.inputs, FEATURES_ID, generation.extractor_id)  # fmt: skip
            return None
        log.info("event=learned_rank_used generation=%s trees=%d", generation.name, len(found.leaves))
        return found
