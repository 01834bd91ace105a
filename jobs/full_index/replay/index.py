"""The index that a replay holds against the log: the generation that serves, whatever its shards and extractor."""

from __future__ import annotations

import logging
from dataclasses import dataclass

from generations.folder import Generations
from jobs.full_index.replay.live_shards import LiveShards, live_shards
from jobs.pipeline.extraction.extractors import ExtractorSpec
from schemas.access.tier import TierAccess
from schemas.errors import CorruptError, OperatorError, TransientError
from schemas.features.ids import features_of
from schemas.full_index.generation import LIVE

log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class ServingIndex:
    """`shards` is its own number, which is not that of the partitions of `index-deltas`; `extractor_id` that of the
    features that its vectors are made of, as the log and the stores have them."""

    generation: str
    shards: int
    extractor_id: str

    def is_placed_like(self, live: LiveShards) -> bool:
        """Whether what was worked out for this index holds for the one that serves now."""
        return (self.shards, self.extractor_id) == (live.shards, live.extractor_id)


def serving_index(tier: TierAccess, generations: Generations, shards: int, main: ExtractorSpec) -> ServingIndex:
    """What the broker says; where it is silent, what the alias names; before any full index, the live index.

    That has `shards` shards and the streaming job's extractor, `main`. Raises what reading the alias does.
    """
    try:
        live = live_shards(tier)
        if live.shards and live.extractor_id:
            return ServingIndex(live.generation, live.shards, live.extractor_id)
    except TransientError as error:
        log.warning("event=broker_silent reason=%r next=%r", str(error), "the alias says which generation serves")
    manifest = generations.serving()
    if manifest is None:
        return ServingIndex(LIVE, shards, main.extractor_id)
    return ServingIndex(manifest.name, len(manifest.shards), features_of(manifest.extractor_id))


def kept_beside(generations: Generations, index: ServingIndex, extractors: list[ExtractorSpec]) -> list[str]:
    """Ids of the other extractors that a replay looks after: the main one's, and those of held generations.

    One of the settings that no held generation is of is left out: its vectors
    are brought in by the build of its first one, which does not hold up the
    stream with all of them at once.
    """
    wanted = {extractors[0].extractor_id}
    try:
        alias = generations.alias()
        held = [name for name in (() if alias is None else alias.held) if name != LIVE]
        wanted |= {features_of(generations.read(name).extractor_id) for name in held}
    except (CorruptError, OperatorError, OSError) as error:
        log.warning("event=held_generations_unknown reason=%r", str(error))
    configured = [spec.extractor_id for spec in extractors]
    return [name for name in configured if name in wanted and name != index.extractor_id]
