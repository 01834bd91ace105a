"""A shopper's words to what they look like, by the map that the full index learned, where it is used."""

from __future__ import annotations

import asyncio
import logging
from collections import OrderedDict
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from generations.folder import Generations
from generations.held import HeldParts
from indexing.meaning import part
from indexing.meaning.map import MeaningMap
from schemas.full_index.generation import LIVE, Generation
from schemas.full_index.learned import LearnedPart
from serving.blender.metrics import BlenderMetrics
from vision.text.encoder import TextEncoder, create_text_encoder

log = logging.getLogger(__name__)

MOST_KNOWN = 1024
"""Texts whose look is kept."""
MOST_WAITING = 64
"""Texts that wait for the encoder; more are searched for by their words alone."""
WAIT_S = 1.0
"""So long a question waits for its look, as while the encoder is being loaded; then it goes without."""


@dataclass(frozen=True, slots=True)
class Meant:
    """What a text looks like: little-endian float32 of length 1, among pictures of that extractor."""

    vector: bytes
    extractor_id: str


class Meanings:
    """Answers with a look or with None, and never raises: words find what they did without it. One event loop.

    Files are read, texts encoded on one thread of its own. The encoder is
    loaded where a generation's map is used, and kept.
    """

    def __init__(
        self, folder: Path, metrics: BlenderMetrics, load: Callable[[], TextEncoder] = create_text_encoder
    ) -> None:
        self._held = HeldParts(Generations(folder), part.KIND, self._decode)
        self._metrics = metrics
        self._load = load
        self._encoder: TextEncoder | None = None
        self._known: OrderedDict[tuple[str, str], Meant | None] = OrderedDict()
        self._following = ""
        self._waiting = 0
        self._complained: set[str] = set()
        self._thread = ThreadPoolExecutor(1, thread_name_prefix="meaning")

    def follow(self, generation: str) -> None:
        """Told again and again what serves; begins to load what it needs."""
        if generation and generation != self._following:
            self._following = generation
            self._thread.submit(self._safely, generation, "")

    async def vector(self, text: str, generation: str) -> Meant | None:
        """None: that generation has no map that is used, it is not there yet, or the text has no word."""
        if not generation or generation == LIVE:
            return None
        key = text, generation
        if key in self._known:
            self._known.move_to_end(key)
            return self._known[key]
        if self._waiting >= MOST_WAITING:
            return None
        self._waiting += 1
        try:
            work = asyncio.get_running_loop().run_in_executor(self._thread, self._safely, generation, text)
        except RuntimeError:  # closed
            self._waiting -= 1
            return None
        work.add_done_callback(self._done)
        try:
            found, sure = await asyncio.wait_for(asyncio.shield(work), WAIT_S)
        except TimeoutError:
            return None
        if sure:
            self._known[key] = found
            while len(self._known) > MOST_KNOWN:
                self._known.popitem(last=False)
        return found

    def close(self) -> None:
        self._thread.shutdown(wait=False, cancel_futures=True)

    def _done(self, _: object) -> None:
        self._waiting -= 1

    # -- on the thread -------------------------------------------------------------------------

    def _safely(self, generation: str, text: str) -> tuple[Meant | None, bool]:
        """(what `text` looks like, whether that will stay so)."""
        try:
            held = self._held.get(generation)
            if held is None:
                return None, self._held.is_sure(generation)
            return self._of(held, text), True
        except Exception as error:  # noqa: BLE001 - whatever is wrong with a map, the words are still there
            self._held.put_aside(generation)
            self._metrics.meaning_failures.inc()
            if str(error) not in self._complained:
                self._complained.add(str(error))
                log.error("event=meaning_unusable generation=%s next=words_alone problem=%s", generation, error)
            return None, False

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
