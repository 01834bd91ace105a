"""Photos to vectors, off the event loop: decoding in two lanes of threads, the CNN on one, in batches."""

from __future__ import annotations

import asyncio
import gc
import logging
import math
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from indexing.look.tuning import Tuning
from schemas.errors import CorruptError, OperatorError, TransientError
from serving.backend import NOT_READY
from serving.blender.embedding.batching import MicroBatcher
from serving.blender.embedding.decoding import BYTES_PER_COST, LARGE_COST, Lanes
from serving.blender.embedding.memory import FreedMemory
from serving.blender.metrics import BlenderMetrics

log = logging.getLogger(__name__)

MAX_BATCH = 16
MAX_WAITING = 256
"""Photos ready for the CNN; each holds its pixels (about 200 KB)."""


class PhotoEmbedder(Protocol):
    """The `vision` package's way from bytes to vectors, the same as for the catalogue.

    `tuning`: what makes vectors of its features, where they are not searched as they are.
    """

    tuning: Tuning | None

    def weigh(self, data: bytes) -> int:
        """What decoding will cost (`PictureHeader.cost`), from the header alone: microseconds. Any thread.

        Raises `RejectedError` for what will not be decoded.
        """

    def prepare(self, data: bytes) -> NDArray[np.uint8]:
        """The encoder's input. Any thread. Raises `RejectedError` for what is no picture."""

    def embed(self, inputs: list[NDArray[np.uint8]]) -> NDArray[np.float32]:
        """L2-normalised vectors, shape (len(inputs), dimension). One thread at a time."""


class PhotoVectors:
    """Loads the embedder in the background, then embeds. Lives on one event loop.

    A photo whose caller is cancelled goes no further than the step it is in.
    """

    def __init__(
        self, load: Callable[[], PhotoEmbedder], metrics: BlenderMetrics, lanes: Lanes, memory: FreedMemory
    ) -> None:
        self._load = load
        self._embedder: PhotoEmbedder | None = None
        self._problem = "the model is being loaded"
        self._failed_at = math.inf
        self._lanes = lanes
        self._memory = memory
        self._cnn = ThreadPoolExecutor(1, thread_name_prefix="cnn")
        self._loading: asyncio.Task[None] | None = None
        self._batcher: MicroBatcher[NDArray[np.uint8], NDArray[np.float32]] = MicroBatcher(
            self._embed,
            max_batch=MAX_BATCH,
            concurrency=1,
            max_waiting=MAX_WAITING,
            observe=metrics.embed_batch.observe,
        )

    def start(self) -> None:
        """Begins to load the model; returns at once."""
        self._loading = asyncio.create_task(self._load_embedder())

    @property
    def problem(self) -> str | None:
        """Why photos cannot be embedded now; None when they can."""
        return None if self._embedder is not None else self._problem

    @property
    def tuning(self) -> Tuning | None:
        """See `PhotoEmbedder`. Raises `TransientError` while the model is being loaded."""
        return self._ready().tuning

    @property
    def failed_for_s(self) -> float:
        """Seconds since loading has failed; 0 when it has not."""
        return max(0.0, time.monotonic() - self._failed_at)

    async def wait(self, timeout_s: float) -> None:
        """Returns when loading has ended, well or not, or after `timeout_s`."""
        if self._loading is not None:
            await asyncio.wait([self._loading], timeout=timeout_s)

    async def vector(self, data: bytes) -> NDArray[np.float32]:
        """The photo's vector, shape (dimension,).

        Raises `RejectedError`, or `TransientError` while not ready, or when too many photos wait already.
        """
        embedder = self._ready()
        cost = embedder.weigh(data)
        try:
            pixels = await self._lanes.of(cost).run(partial(embedder.prepare, data))
        finally:
            if cost >= LARGE_COST:
                self._memory.note(cost * BYTES_PER_COST)
        return await self._batcher.submit(pixels)

    async def close(self) -> None:
        """Lets go of the model."""
        if self._loading is not None:
            self._loading.cancel()
        self._embedder, self._problem = None, "the model was let go"
        self._cnn.shutdown(wait=False, cancel_futures=True)

    def _ready(self) -> PhotoEmbedder:
        if self._embedder is None:
            raise TransientError(NOT_READY, f"{self._problem}; see GET /readyz")
        return self._embedder

    async def _load_embedder(self) -> None:
        began = time.perf_counter()
        try:
            self._embedder = await asyncio.get_running_loop().run_in_executor(self._cnn, self._load)
        except (OperatorError, CorruptError) as error:
            self._problem, self._failed_at = str(error), time.monotonic()
            log.error("event=model_not_loaded problem=%s", error)
        except Exception as error:
            self._failed_at = time.monotonic()
            # Vectors can still be searched for: the process stays, /readyz and the log say what is wrong.
            self._problem = f"the model could not be loaded: {type(error).__name__}: {error}"
            log.exception("event=model_not_loaded")
        else:
            gc.freeze()  # as in serving.process, for torch and the model
            log.info("event=model_loaded seconds=%.1f", time.perf_counter() - began)

    async def _embed(self, inputs: list[NDArray[np.uint8]]) -> list[NDArray[np.float32]]:
        self._memory.busy()
        vectors = await asyncio.get_running_loop().run_in_executor(self._cnn, self._ready().embed, inputs)
        return list(vectors)
