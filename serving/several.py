"""A `SearchBackend` of several that are the same: asked in turn, and the next one at once where one fails."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable, Callable, Sequence
from typing import TypeVar

from schemas.errors import TransientError
from schemas.search_pb2 import (
    DetailsRequest,
    DetailsResponse,
    ProductRequest,
    ProductResponse,
    SearchRequest,
    SearchResponse,
    StatusRequest,
    StatusResponse,
)
from serving.guarded import Guarded
from serving.health import State

_Answer = TypeVar("_Answer")


class Several:
    """Owns and closes its `backends`, one at least. Lives on one event loop.

    Those put aside are left out, suspect ones come last. A refusal is an answer, which no other one would change.
    """

    def __init__(self, backends: Sequence[Guarded]) -> None:
        self._backends = tuple(backends)
        self._turns = dict.fromkeys(("search", "product", "details", "status"), 0)

    async def search(self, request: SearchRequest, timeout_s: float) -> SearchResponse:
        return await self._first("search", lambda backend, left_s: backend.search(request, left_s), timeout_s)

    async def product(self, request: ProductRequest, timeout_s: float) -> ProductResponse:
        return await self._first("product", lambda backend, left_s: backend.product(request, left_s), timeout_s)

    async def details(self, request: DetailsRequest, timeout_s: float) -> DetailsResponse:
        return await self._first("details", lambda backend, left_s: backend.details(request, left_s), timeout_s)

    async def status(self, timeout_s: float, request: StatusRequest | None = None) -> StatusResponse:
        """Of one of them; the next call asks another, so that all come to know who asks."""
        return await self._first("status", lambda backend, left_s: backend.status(left_s, request), timeout_s)

    async def close(self) -> None:
        await asyncio.gather(*(backend.close() for backend in self._backends))

    async def _first(self, call: str, ask: Callable[[Guarded, float], Awaitable[_Answer]], timeout_s: float) -> _Answer:
        """Raises the last `TransientError` when all fail, or when the time is over."""
        deadline = time.monotonic() + timeout_s
        order = self._in_turn(call)
        for backend in order[:-1]:
            try:
                return await ask(backend, deadline - time.monotonic())
            except TransientError:
                if time.monotonic() >= deadline:
                    raise
        return await ask(order[-1], deadline - time.monotonic())

    def _in_turn(self, call: str) -> list[Guarded]:
        """Beginning with another one each time; all of them where all are put aside, so that one says so."""
        first = self._turns[call]
        self._turns[call] = (first + 1) % len(self._backends)
        order = [*self._backends[first:], *self._backends[:first]]
        able = [backend for backend in order if backend.state is not State.EJECTED]
        return sorted(able or order, key=lambda backend: backend.state is State.SUSPECT)
