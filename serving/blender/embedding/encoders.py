"""The encoders that photos are embedded with: one as a rule, two while the index moves to another extractor.

An external extractor has none: its index is asked by vectors and products, and nothing is loaded or waited for.
"""

from __future__ import annotations

import asyncio
import gc
import logging
import time
from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray

from indexing.look.tuning import Tuning
from schemas.errors import RejectedError, TransientError
from schemas.features.ids import features_of, is_external
from serving.backend import NOT_READY, OWN_VECTORS
from serving.blender.embedding.decoding import Lanes
from serving.blender.embedding.known import KnownPhotos
from serving.blender.embedding.memory import FreedMemory
from serving.blender.embedding.photos import PhotoEmbedder, PhotoVectors
from serving.blender.metrics import BlenderMetrics

log = logging.getLogger(__name__)

MOST_LOADED = 2
"""Each is half a gigabyte."""
IDLE_S = 300.0
"""One that does not serve is let go when no photo needed it for this long."""
TRY_AGAIN_S = 30.0
WAIT_FOR_LOAD_S = 25.0
DECODE_THREADS = 2
MOST_WAITING = 64
"""Photos that wait to be decoded, each a whole upload."""

Load = Callable[[str, str], PhotoEmbedder]
"""The encoder of (extractor id, a generation of it), on a thread of its own; raises `OperatorError`, `CorruptError`."""


class Encoders:
    """Photos to vectors of one extractor or another. Lives on one event loop.

    `current` is the extractor of a query that names no generation. It follows
    the serving generation's once that encoder is loaded; until then the
    broker answers with the generation that served before.
    """

    def __init__(
        self,
        extractor_id: str,
        generation: str,
        load: Load,
        metrics: BlenderMetrics,
        idle_s: float = IDLE_S,
        most_waiting: int = MOST_WAITING,
        memory: FreedMemory | None = None,
        most_known: int = 0,
    ) -> None:
        """most_known: photos whose vectors are kept, see `KnownPhotos`."""
        self.current = extractor_id
        self._generation = generation
        self._serving = ""
        self._load = load
        self._metrics = metrics
        self._idle_s = idle_s
        self._lanes = Lanes(DECODE_THREADS, most_waiting)
        self._memory = memory or FreedMemory()
        self._known = KnownPhotos(most_known)
        self._photos: dict[str, PhotoVectors] = {}
        self._used: dict[str, float] = {}
        self._closing: set[asyncio.Task[None]] = set()

    @property
    def problem(self) -> str | None:
        """Why a photo cannot be embedded now; None when it can, or never will be."""
        if is_external(self.current):
            return None
        photos = self._photos.get(self.current)
        return "the model is being loaded" if photos is None else photos.problem

    @property
    def loaded(self) -> list[str]:
        """Extractors whose encoders are in memory, or on their way there."""
        return list(self._photos)

    def follow(self, extractor_id: str, generation: str) -> None:
        """Told again and again what serves ("": not known). Loads that encoder, and changes over when it is there."""
        self._serving = extractor_id
        self._let_idle_go()
        if not self._photos and extractor_id:
            # Nothing is loaded yet: what serves now is a better beginning than what was expected to.
            self.current, self._generation = extractor_id, generation
        for wanted, of in ((self.current, self._generation), (extractor_id, generation)):
            if wanted and not is_external(wanted):
                self._have(wanted, of)
        photos = self._photos.get(extractor_id)
        there = is_external(extractor_id) or (photos is not None and photos.problem is None)
        if there and extractor_id != self.current:
            log.info("event=extractor_changed from=%s to=%s generation=%s", self.current, extractor_id, generation)
            self.current, self._generation = extractor_id, generation

    async def vector(self, data: bytes, extractor_id: str, generation: str = "") -> NDArray[np.float32]:
        """The photo's vector, shape (dimension,).

        With `generation`, which names one of that extractor, an encoder that is
        not there is loaded and waited for: seconds. Raises `RejectedError`, also of
        an external extractor, or `TransientError` while not ready.
        """
        if is_external(extractor_id):
            raise RejectedError(
                OWN_VECTORS,
                f"this index is of the shop's own vectors ({extractor_id}), which nobody here can make of a photo; "
                "ask by `vectors` of that extractor, by `products`, or by words",
            )
        if generation and (photos := self._have(extractor_id, generation)) is not None:
            await photos.wait(WAIT_FOR_LOAD_S)
        photos = self._photos.get(extractor_id)
        if photos is None:
            detail = "the model is being loaded"
            if generation:
                detail = f"encoders of {' and '.join(self.loaded)} are in memory, which is all that has room"
            raise TransientError(NOT_READY, f"{detail}; see GET /readyz")
        self._used[extractor_id] = time.monotonic()
        key = self._known.key(data, extractor_id)
        vector = self._known.get(key)
        self._metrics.known_photos.labels("miss" if vector is None else "hit").inc()
        if vector is None:
            vector = await photos.vector(data)
            self._known.put(key, vector)
        return vector

    def tuning(self, extractor_id: str) -> Tuning | None:
        """What makes vectors under this id of features; None where they are searched as they are.

        Raises `TransientError` while it is being loaded.
        """
        if features_of(extractor_id) == extractor_id:
            return None
        photos = self._photos.get(extractor_id)
        if photos is None:
            raise TransientError(NOT_READY, "the model is being loaded; see GET /readyz")
        return photos.tuning

    def parts(self, extractor_id: str) -> list[str]:
        """Names of the parts that vectors under this id have; none where they have no such, or are not loaded."""
        photos = self._photos.get(extractor_id)
        tuning = None if photos is None or photos.problem is not None else photos.tuning
        return [] if tuning is None else [block.name for block in tuning.blocks]

    async def close(self) -> None:
        for photos in self._photos.values():
            await photos.close()
        await asyncio.gather(*self._closing)
        self._lanes.close()
        self._memory.close()

    def _have(self, extractor_id: str, generation: str) -> PhotoVectors | None:
        """The encoder, loaded or being loaded; None when there is no room for it."""
        photos = self._photos.get(extractor_id)
        if photos is not None and photos.failed_for_s <= TRY_AGAIN_S:
            return photos
        if photos is not None:
            self._let_go(extractor_id)
        if len(self._photos) >= MOST_LOADED:
            free = [each for each in self._photos if each not in (self.current, self._serving)]
            if not free:
                return None
            self._let_go(min(free, key=lambda each: self._used[each]))
        log.info("event=encoder_loads extractor=%s generation=%s", extractor_id, generation)
        photos = PhotoVectors(lambda: self._load(extractor_id, generation), self._metrics, self._lanes, self._memory)
        self._photos[extractor_id], self._used[extractor_id] = photos, time.monotonic()
        photos.start()
        return photos

    def _let_idle_go(self) -> None:
        long_ago = time.monotonic() - self._idle_s
        for extractor_id in [each for each in self._photos if self._used[each] < long_ago]:
            if extractor_id not in (self.current, self._serving):
                self._let_go(extractor_id)

    def _let_go(self, extractor_id: str) -> None:
        photos = self._photos.pop(extractor_id)
        del self._used[extractor_id]
        task = asyncio.create_task(self._close(photos, extractor_id))
        self._closing.add(task)
        task.add_done_callback(self._closing.discard)

    async def _close(self, photos: PhotoVectors, extractor_id: str) -> None:
        await photos.close()
        # Loading froze what there was (see `photos`), and a network has cycles that only the collector ends.
        gc.unfreeze()
        gc.collect()
        gc.freeze()
        log.info("event=encoder_let_go extractor=%s", extractor_id)
