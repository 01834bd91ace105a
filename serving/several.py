"""A `SearchBackend` of several that are the same: asked in turn, and another one where one fails or is slow."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence

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
from serving.hedging import Again, Answer, Call, Patience, first_answer

HEDGE_AFTER_S = 1.0
"""The longest that a slow one is waited for alone."""


def _nobody(_error: TransientError | None) -> None:
    """Who needs not be told."""


class Several:
    """Owns and closes its `backends`, one at least. Lives on one event loop.

    Those put aside are left out, suspect ones come last. A refusal is an answer, which no other one would change.
    `again`: told of every second try.
    """

    def __init__(self, backends: Sequence[Guarded], again: Again = _nobody) -> None:
        self._backends = tuple(backends)
        self._again = again
        calls = ("search", "product", "details", "status")
        self._turns = dict.fromkeys(calls, 0)
        self._patience = {call: Patience(HEDGE_AFTER_S) for call in calls}

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

    async def _first(self, name: str, call: Call[Answer], timeout_s: float) -> Answer:
        late = f"none of {len(self._backends)} answered within {timeout_s:.2f} s"
        return await first_answer(self._in_turn(name), call, timeout_s, self._patience[name], late, self._again)

    def _in_turn(self, call: str) -> list[Guarded]:
        """Beginning with another one each time; all of them where all are put aside, so that one says so."""
        first = self._turns[call]
        self._turns[call] = (first + 1) % len(self._backends)
        order = [*self._backends[first:], *self._backends[:first]]
        able = [backend for backend in order if backend.state is not State.EJECTED]
        return sorted(able or order, key=lambda backend: backend.state is State.SUSPECT)
