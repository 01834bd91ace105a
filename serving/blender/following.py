"""What serves: asked for every second, and what follows from it for encoders and learned parts."""

from __future__ import annotations

import asyncio
import logging
import secrets
from collections.abc import Sequence
from typing import Protocol

from msgspec.structs import replace

from schemas.errors import TransientError
from schemas.features.ids import dimension_of
from schemas.search_pb2 import StatusRequest, StatusResponse
from serving.backend import SearchBackend, unknown_generation
from serving.blender.agreement import disagreements
from serving.blender.asking.likeness import Vector
from serving.blender.asking.nearest import TIMEOUT_S
from serving.blender.embedding.encoders import Encoders
from serving.blender.metrics import BlenderMetrics
from serving.blender.publication import Publication
from serving.blender.showing.of_index import IndexStatus, Readiness
from serving.blender.showing.receipts import index_status, waiting_for

log = logging.getLogger(__name__)

LOOK_S = 1.0


class Follows(Protocol):
    """A part that a generation learned, read while that serves."""

    def follow(self, generation: str) -> None: ...


class Following:
    """Watches from `start` to `close`. One event loop.

    With every look the broker is told what photos are embedded with: it keeps
    a generation of that until it has changed. `leaving`: this process is about
    to end, and whoever chooses among several is to choose another.
    """

    def __init__(
        self,
        backend: SearchBackend,
        encoders: Encoders,
        metrics: BlenderMetrics,
        learned: Sequence[Follows],
        publication: Publication | None = None,
        look_s: float = LOOK_S,
    ) -> None:
        self._backend = backend
        self._encoders = encoders
        self._metrics = metrics
        self._learned = learned
        self._publication = publication
        self._look_s = look_s
        self._asker = f"blender-{secrets.token_hex(6)}"
        self._status = StatusResponse()
        self._watching: asyncio.Task[None] | None = None
        self.leaving = False

    def start(self) -> None:
        """Begins to watch and to load the encoder of what serves; needs the running loop."""
        self._watching = asyncio.create_task(self._watch())

    async def close(self) -> None:
        if self._watching is not None:
            self._watching.cancel()
            await asyncio.gather(self._watching, return_exceptions=True)

    async def index(self) -> IndexStatus:
        """Counts, digest and position of every searcher, generation by generation."""
        status = index_status(await self.look())
        return replace(status, look_parts=self._encoders.parts(status.extractor_id))

    async def readiness(self) -> Readiness:
        """Ready when photos can be embedded for an index of which every shard has a replica that answers queries."""
        waiting = ["this process is told to stop; ask another"] if self.leaving else []
        if (problem := self._encoders.problem) is not None:
            waiting.append(problem)
        try:
            index = await self.index()
        except TransientError as error:
            waiting.append(str(error))
        else:
            waiting += waiting_for(index)
            current = self._encoders.current
            if index.ready and not any(each.complete and each.extractor_id == current for each in index.generations):
                waiting.append(f"photos are embedded with {current} still, {index.serving} is of {index.extractor_id}")
        return Readiness(ready=not waiting, waiting_for=waiting)

    async def _watch(self) -> None:
        while True:
            try:
                await self.look()
            except TransientError as error:
                # Queries say so to whoever asks; the encoder is loaded meanwhile.
                self._encoders.follow("", "")
                log.debug("event=broker_silent problem=%s", error)
            except Exception:
                log.exception("event=look_failed")
            await asyncio.sleep(self._look_s)

    async def look(self) -> StatusResponse:
        """Asks what serves, and takes note."""
        request = StatusRequest(asker=self._asker, extractor_ids=[self._encoders.current])
        status = await self._backend.status(TIMEOUT_S, request)
        self._status = status
        self._encoders.follow(status.serving_extractor_id, status.serving)
        for part in self._learned:
            part.follow(status.serving)
        self._metrics.serves(status.serving, index_status(status).searchable)
        self._metrics.agree(disagreements(status.shards))
        if self._publication is not None:
            await self._publication.look(self._metrics)
        return status

    async def extractor_of(self, generation: str) -> str:
        """Raises `RejectedError` when no searcher holds it."""
        for _ in range(2):
            for status in self._status.shards:
                if status.generation == generation and status.extractor_id:
                    return status.extractor_id
            await self.look()
        raise unknown_generation(generation, {status.generation for status in self._status.shards})

    def extractor_for(self, vector: Vector) -> str:
        """Of a vector without further word: the serving extractor, or the one before while that is in use still."""
        serving, current = self._status.serving_extractor_id or self._encoders.current, self._encoders.current
        return current if vector.size == dimension_of(current) != dimension_of(serving) else serving
