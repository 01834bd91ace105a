"""Threads that decode photos: two lanes, so that a few enormous pictures hold no ordinary photo up."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import TypeVar

from schemas.errors import TransientError
from serving.backend import OVERLOADED

LARGE_COST = 16_000_000
"""From this `PictureHeader.cost` on a photo takes the lane of the large ones: a phone's JPEG of 12 MP does not."""
BYTES_PER_COST = 4
"""What decoding takes of memory, for a large photo (measured: 200 MB for 12.6 million pixels of WebP)."""
LARGE_SHARE = 8
"""Of `most_waiting` ordinary photos: how many large ones may wait."""

_T = TypeVar("_T")


class Lane:
    """Runs work on `threads` threads, first come, first served. Lives on one event loop.

    Who is cancelled while waiting is never run; who is cancelled later keeps
    its thread until the work is done. More than `most_waiting` waiters:
    `TransientError('overloaded', ...)`.
    """

    def __init__(self, name: str, threads: int, most_waiting: int) -> None:
        self._executor = ThreadPoolExecutor(threads, thread_name_prefix=name)
        self._free = asyncio.Semaphore(threads)
        self._most_waiting = most_waiting
        self.waiting = 0

    async def run(self, work: Callable[[], _T]) -> _T:
        if self.waiting >= self._most_waiting:
            raise TransientError(OVERLOADED, f"{self._most_waiting} photos wait already; try again in a second")
        self.waiting += 1
        try:
            await self._free.acquire()
        finally:
            self.waiting -= 1
        try:
            future = asyncio.get_running_loop().run_in_executor(self._executor, work)
        except RuntimeError:  # closed meanwhile
            self._free.release()
            raise
        future.add_done_callback(lambda _: self._free.release())
        return await asyncio.shield(future)

    def close(self) -> None:
        self._executor.shutdown(wait=False, cancel_futures=True)


class Lanes:
    """An ordinary lane of `threads` threads, and one for large photos, of which one at a time is in memory."""

    def __init__(self, threads: int, most_waiting: int) -> None:
        self.ordinary = Lane("decode", threads, most_waiting)
        self.large = Lane("decode-large", 1, max(1, most_waiting // LARGE_SHARE))

    def of(self, cost: int) -> Lane:
        """The lane of a photo of that `PictureHeader.cost`."""
        return self.large if cost >= LARGE_COST else self.ordinary

    def close(self) -> None:
        self.ordinary.close()
        self.large.close()
