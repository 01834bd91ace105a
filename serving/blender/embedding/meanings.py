"""A shopper's words to what they look like, by the map that the full index learned, where it is used."""

from __future__ import annotations

import asyncio
import logging
import time
from collections import OrderedDict
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from generations.folder import Generations
from indexing.meaning import part
from indexing.meaning.map import MeaningMap
from schemas.full_index.generation import LIVE
from serving.blender.metrics import BlenderMetrics
from vision.text.encoder import TextEncoder, create_text_encoder

log = logging.getLogger(__name__)

MOST_KNOWN = 1024
"""Texts whose look is kept."""
MOST_HELD = 2
"""Generations whose map is in memory, 8 MB each at most."""
MOST_WAITING = 64
"""Texts that wait for the encoder; more are searched for by their words alone."""
WAIT_S = 1.0
"""So long a question waits for its look, as while the encoder is being loaded; then it goes without."""
TRY_AGAIN_S = 60.0


@dataclass(frozen=True, slots=True)
class Meant:
    """What a text looks like: little-endian float32 of length 1, among pictures of that extractor."""

    vector: bytes
    extractor_id: str


@dataclass(frozen=True, slots=True)
class _Held:
    """A generation's map, None where it has none that is used. `until`, of `time.monotonic`, it is believed."""

    map: MeaningMap | None
    until: float = float("inf")


class Meanings:
    """Answers with a look or with None, and never raises: words find what they did without it. One event loop.

    Files are read, texts encoded on one thread of its own. The encoder is
    loaded where a generation's map is used, and kept.
    """

    def __init__(
        self, folder: Path, metrics: BlenderMetrics, load: Callable[[], TextEncoder] = create_text_encoder
    ) -> None:
        self._generations = Generations(folder)
        self._metrics = metrics
        self._load = load
        self._encoder: TextEncoder | None = None
        self._held: OrderedDict[str, _Held] = OrderedDict()
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
            held = self._have(generation)
            if held.map is None:
                return None, held.until == float("inf")
            return self._of(held.map, text), True
        except Exception as error:  # noqa: BLE001 - whatever is wrong with a map, the words are still there
            self._held[generation] = _Held(None, time.monotonic() + TRY_AGAIN_S)
            self._metrics.meaning_failures.inc()
            if str(error) not in self._complained:
                self._complained.add(str(error))
                log.error("event=meaning_unusable generation=%s next=words_alone problem=%s", generation, error)
            return None, False

    def _have(self, generation: str) -> _Held:
        held = self._held.get(generation)
        if held is None or held.until < time.monotonic():
            held = self._held[generation] = _Held(self._read(generation))
        self._held.move_to_end(generation)
        while len(self._held) > MOST_HELD:
            self._held.popitem(last=False)
        return held

    def _read(self, name: str) -> MeaningMap | None:
        generation = self._generations.read(name)
        entry = next((each for each in generation.learned if each.kind == part.KIND), None)
        if entry is None or not entry.used:
            return None
        found = part.read(self._generations.learned(name, entry), entry)
        if self._encoder is None:
            self._encoder = self._load()
            self._encoder.encode(["look"])  # it is loaded with its first text
        mine = self._encoder.text_encoder_id
        if found.text_encoder_id != mine or found.extractor_id != generation.extractor_id:
            log.warning("event=meaning_of_others generation=%s text_encoder=%s extractor=%s here=%s", name,
                        found.text_encoder_id, found.extractor_id, mine)  # fmt: skip
            return None
        log.info("event=meaning_used generation=%s texts=%d", name, len(found.support))
        return found

    def _of(self, meaning: MeaningMap, text: str) -> Meant | None:
        assert self._encoder is not None, "it is loaded before a map is held"
        if not any(map(str.isalnum, text)):
            return None
        row = meaning.apply(self._encoder.encode([text]))[0]
        if not row.any() or not np.isfinite(row).all():
            return None
        return Meant(row.astype("<f4").tobytes(), meaning.extractor_id)
