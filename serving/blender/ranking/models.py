"""The orders that full indexes learned from clicks, each with its generation, where they are used."""

from __future__ import annotations

import logging

from generations.folder import Generations
from generations.held import HeldParts
from indexing.ranking import part
from indexing.ranking.features import FEATURES_ID
from indexing.ranking.model import RankModel
from schemas.access.objects import FullIndexes
from schemas.full_index.generation import Generation
from schemas.full_index.learned import LearnedPart
from serving.blender.learned import LearnedAnswers, Trouble
from serving.blender.metrics import BlenderMetrics

log = logging.getLogger(__name__)


class LearnedRanks:
    """Gives a model or None, and never raises: products have an order without it. One event loop.

    A model is a file of some 30 kB.
    """

    def __init__(self, place: FullIndexes, metrics: BlenderMetrics) -> None:
        self._models = LearnedAnswers(
            HeldParts(Generations(place), part.KIND, _decode),
            lambda model, _: model,
            Trouble("learned_rank_unusable", "by_relevance", metrics.learned_rank_failures),
        )

    def follow(self, generation: str) -> None:
        """Told again and again what serves; begins to read its model."""
        self._models.follow(generation)

    async def of(self, generation: str) -> RankModel | None:
        """None: that generation has no model that is used, or it is not there yet."""
        return await self._models.ask(generation)

    def close(self) -> None:
        self._models.close()


def _decode(generation: Generation, entry: LearnedPart, data: bytes) -> RankModel | None:
    found = part.read(data, entry)
    if found.features_id != FEATURES_ID or entry.inputs.get("extractor_id") != generation.extractor_id:
        log.warning("event=learned_rank_of_others generation=%s inputs=%s here=%s extractor=%s", generation.name,
                    entry.inputs, FEATURES_ID, generation.extractor_id)  # fmt: skip
        return None
    log.info("event=learned_rank_used generation=%s trees=%d", generation.name, len(found.leaves))
    return found
