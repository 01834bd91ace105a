"""A shopper's words to what they look like, by the map that the full index learned, where it is used."""

from __future__ import annotations

import logging
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from generations.folder import Generations
from generations.held import HeldParts
from indexing.meaning import part
from indexing.meaning.map import MeaningMap
from schemas.access.objects import FullIndexes
from schemas.full_index.generation import Generation
from schemas.full_index.learned import LearnedPart
from serving.blender.learned import LearnedAnswers, Trouble
from serving.blender.metrics import BlenderMetrics
from vision.text.encoder import TextEncoder, create_text_encoder

log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Meant:
    """What a text looks like: little-endian float32 of length 1, among pictures of that extractor."""

    vector: bytes
    extractor_id: str


class Meanings:
    """Answers with a look or with None, and never raises: words find what they did without it. One event loop.

    The encoder is loaded where a generation's map is used, and kept.
    """

    def __init__(
        self, place: FullIndexes, metrics: BlenderMetrics, load: Callable[[], TextEncoder] = create_text_encoder
    ) -> None:
        self._load = load
        self._encoder: TextEncoder | None = None
        self._looks = LearnedAnswers(
            HeldParts(Generations(place), part.KIND, self._decode),
            self._of,
            Trouble("meaning_unusable", "words_alone", metrics.meaning_failures),
        )

    def follow(self, generation: str) -> None:
        """Told again and again what serves; begins to load what it needs."""
        self._looks.follow(generation)

    async def vector(self, text: str, generation: str) -> Meant | None:
        """None: that generation has no map that is used, it is not there yet, or the text has no word."""
        return await self._looks.ask(generation, text)

    def close(self) -> None:
        self._looks.close()

    # -- on the thread of `_looks` -------------------------------------------------------------

    def _decode(self, generation: Generation, entry: LearnedPart, data: bytes) -> MeaningMap | None:
        """8 MB at most."""
        found = part.read(data, entry)
        if self._encoder is None:
            self._encoder = self._load()
            self._encoder.encode(["look"])  # it is loaded with its first text
        mine = self._encoder.text_encoder_id
        if found.text_encoder_id != mine or found.extractor_id != generation.extractor_id:
            log.warning("event=meaning_of_others generation=%s text_encoder=%s extractor=%s here=%s", generation.name,
                        found.text_encoder_id, found.extractor_id, mine)  # fmt: skip
            return None
        log.info("event=meaning_used generation=%s texts=%d", generation.name, len(found.support))
        return found

    def _of(self, meaning: MeaningMap, text: str) -> Meant | None:
        assert self._encoder is not None, "it is loaded before a map is held"
        if not any(map(str.isalnum, text)):
            return None
        row = meaning.apply(self._encoder.encode([text]))[0]
        if not row.any() or not np.isfinite(row).all():
            return None
        return Meant(row.astype("<f4").tobytes(), meaning.extractor_id)
