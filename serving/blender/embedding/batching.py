"""Micro-batching: requests that arrive while a batch is under way travel together in the next one."""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Awaitable, Callable, Sequence
from typing import Generic, TypeVar

from schemas.errors import TransientError
from serving.backend import OVERLOADED

_Item = TypeVar("_Item")
_Result = TypeVar("_Result")


class MicroBatcher(Generic[_Item, _Result]):
    """Turns single requests into batches of up to `max_batch`, at most `concurrency` of them under way.

    It never waits for company: an idle batcher sends a request at once, a busy
    one collects until a batch comes back. Batches hence grow with the load,
    and the wait is bounded by the work itself (Clipper, NSDI 2017, adapts a
    size; here the size follows by itself). Lives on one event loop.

    `work` gets a batch and returns its results in the same order; in the place
    of one that concerns a single request, what that request raises. What `work`
    raises itself, every request of the batch raises. More than `max_waiting`
    requests: `TransientError('overloaded', ...)`.
    """

    def __init__(
        self,
        work: Callable[[list[_Item]], Awaitable[Sequence[_Result | Exception]]],
        *,
        max_batch: int,
        concurrency: int,
        max_waiting: int,
        observe: Callable[[float], None],
    ) -> None:
        self._work = work
        self._max_batch = max_batch
        self._concurrency = concurrency
        self._max_waiting = max_waiting
        self._observe = observe
        self._waiting: deque[tuple[_Item, asyncio.Future[_Result]]] = deque()
        self._running = 0
        self._runners: set[asyncio.Task[None]] = set()
        """Only so that they are not collected: a task is known to have ended some turns of the loop later."""

    async def submit(self, item: _Item) -> _Result:
        """The result of `item`, from whichever batch it travels in."""
        if len(self._waiting) >= self._max_waiting:
            raise TransientError(OVERLOADED, f"{self._max_waiting} requests wait already; try again in a second")
        future: asyncio.Future[_Result] = asyncio.get_running_loop().create_future()
        self._waiting.append((item, future))
        if self._running < self._concurrency:
            self._running += 1
            # A task, not a call: what arrives in this same turn of the loop still joins the batch.
            runner = asyncio.create_task(self._run())
            self._runners.add(runner)
            runner.add_done_callback(self._runners.discard)
        return await future

    async def _run(self) -> None:
        try:
            await self._run_batches()
        finally:
            # In the very turn in which nothing was left: what is submitted in the next one needs a runner of its own.
            self._running -= 1

    async def _run_batches(self) -> None:
        while batch := self._take():
            self._observe(float(len(batch)))
            try:
                results = await self._work([item for item, _ in batch])
            except Exception as error:  # noqa: BLE001 - it is handed to every request of the batch
                for _, future in batch:
                    if not future.done():
                        future.set_exception(error)
            else:
                for (_, future), result in zip(batch, results, strict=True):
                    if future.done():
                        continue
                    if isinstance(result, Exception):
                        future.set_exception(result)
                    else:
                        future.set_result(result)

    def _take(self) -> list[tuple[_Item, asyncio.Future[_Result]]]:
        batch: list[tuple[_Item, asyncio.Future[_Result]]] = []
        while self._waiting and len(batch) < self._max_batch:
            entry = self._waiting.popleft()
            if not entry[1].done():  # the caller went away
                batch.append(entry)
        return batch
