"""A `SearchBackend` that is put aside while it is silent: nobody waits for a process that hangs.

`serving.health` says when; here are the calls, the timers and the probes.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Callable
from typing import TypeVar

from schemas.errors import RejectedError, TransientError
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
from serving.backend import NOT_READY, OVERDUE, UNREACHABLE, SearchBackend
from serving.health import Health, State

log = logging.getLogger(__name__)

SLOW_S = 0.25
"""A call that waits for longer makes its backend suspect, which costs no more than a probe."""
CONFIRM_S = 1.0
"""A probe that waits for so long, while nothing else is answered, ejects."""
_OWN_PAUSE_S = 0.5
"""A probe that took so much longer than it may: this process was stopped itself, and knows nothing of the other."""

_Answer = TypeVar("_Answer")
Changed = Callable[[State], None]


class Guarded:
    """`backend`, called `name` in log lines and errors; closed with this. Lives on one event loop.

    While it is ejected every call raises `TransientError('unreachable', ...)`
    at once; calls under way when it is ejected raise `overdue`. `changed` is
    told every state that it comes to. Probes are status calls of nobody.
    """

    def __init__(
        self,
        backend: SearchBackend,
        name: str,
        *,
        slow_s: float = SLOW_S,
        confirm_s: float = CONFIRM_S,
        changed: Changed = lambda _state: None,
    ) -> None:
        self._backend = backend
        self.name = name
        self._slow_s = slow_s
        self._confirm_s = confirm_s
        self._tell = changed
        self._health = Health(self._changed)
        self._under_way: set[asyncio.Timeout] = set()
        self._probing: asyncio.Task[None] | None = None

    @property
    def state(self) -> State:
        return self._health.state

    def slow(self) -> None:
        """The caller has waited for longer than this backend usually takes."""
        self._health.slow()

    async def search(self, request: SearchRequest, timeout_s: float) -> SearchResponse:
        return await self._call(lambda: self._backend.search(request, timeout_s), self._health.answered)

    async def product(self, request: ProductRequest, timeout_s: float) -> ProductResponse:
        return await self._call(lambda: self._backend.product(request, timeout_s), self._health.answered)

    async def details(self, request: DetailsRequest, timeout_s: float) -> DetailsResponse:
        return await self._call(lambda: self._backend.details(request, timeout_s), self._health.answered)

    async def status(self, timeout_s: float, request: StatusRequest | None = None) -> StatusResponse:
        return await self._call(lambda: self._backend.status(timeout_s, request), self._health.heard)

    async def close(self) -> None:
        if self._probing is not None:
            self._probing.cancel()
            await asyncio.gather(self._probing, return_exceptions=True)
        await self._backend.close()

    async def _call(self, call: Callable[[], Awaitable[_Answer]], answered: Callable[[], None]) -> _Answer:
        if self._health.state is State.EJECTED:
            raise TransientError(UNREACHABLE, f"{self.name} is put aside, it was silent; {self._probed}")
        timer = asyncio.get_running_loop().call_later(self._slow_s, self._health.slow)
        letting_go = asyncio.timeout(None)
        try:
            async with letting_go:
                self._under_way.add(letting_go)
                try:
                    answer = await call()
                finally:
                    self._under_way.discard(letting_go)
        except RejectedError:
            answered()
            raise
        except TransientError as error:
            self._note(error)
            raise
        except TimeoutError as error:
            raise TransientError(OVERDUE, f"{self.name} is silent and was put aside; {self._probed}") from error
        finally:
            timer.cancel()
        answered()
        return answer

    @property
    def _probed(self) -> str:
        return f"it is probed for {self._health.for_s:.1f} s, and asked again once it answers"

    def _note(self, error: TransientError) -> None:
        if error.reason == OVERDUE:
            self._health.slow()
        elif error.reason == NOT_READY:
            self._health.heard()
        else:
            self._health.failed()

    def _changed(self, before: State, after: State) -> None:
        if after is State.EJECTED:
            log.warning("event=ejected name=%r next=probed_until_it_answers", self.name)
            now = asyncio.get_running_loop().time()
            for call in self._under_way:
                call.reschedule(now)
            self._under_way.clear()
        elif before in (State.EJECTED, State.ON_TRIAL):
            log.info("event=%s name=%r", "taken_back" if after is State.ON_TRIAL else after.value, self.name)
        if self._health.is_probed and (self._probing is None or self._probing.done()):
            self._probing = asyncio.create_task(self._probe())
        self._tell(after)

    async def _probe(self) -> None:
        """Probes when it is due, until there is nothing to find out."""
        loop, health = asyncio.get_running_loop(), self._health
        while health.is_probed:
            await asyncio.sleep(max(0.0, health.probe_in_s))
            if not health.is_probed:
                return
            turn, began = health.turn, loop.time()
            if await self._answers():
                health.probe_answered(turn)
            elif loop.time() - began < self._confirm_s + _OWN_PAUSE_S:
                health.probe_silent(turn)

    async def _answers(self) -> bool:
        try:
            async with asyncio.timeout(self._confirm_s):
                await self._backend.status(self._confirm_s)
        except (TransientError, TimeoutError):
            return False
        except Exception:
            log.exception("event=probe_failed name=%r", self.name)
            return False
        return True
