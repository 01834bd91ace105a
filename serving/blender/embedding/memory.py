"""Gives freed memory back to the system, which the C library of this process keeps by its settings."""

from __future__ import annotations

import asyncio
import ctypes
import logging
import time

log = logging.getLogger(__name__)

_M_ARENA_MAX = -8
"""Of glibc's malloc.h."""
AT_BYTES = 128_000_000
EVERY_S = 5.0
QUIET_S = 30.0
"""The network's memory of a busy time is let go when no photo came for so long."""


def one_arena() -> None:
    """To be called before threads begin: what they free later can then be given back.

    glibc gives threads arenas of their own, of which a trim leaves up to
    64 MB each where they are. What is large is allocated rarely enough here
    that threads need not be kept apart for it.
    """
    mallopt = getattr(ctypes.CDLL(None), "mallopt", None)
    if mallopt is not None:
        mallopt(_M_ARENA_MAX, 1)


class FreedMemory:
    """Told what large things were let go, and asks for a trim when that is much. Lives on one event loop.

    `vision.environment` has glibc keep all it gets, or the network would map
    and unmap its activations for every photo. What a large upload or picture
    took would stay as well: 1.9 GB after an attack. So glibc's `malloc_trim`
    is called when `at_bytes` were let go, `every_s` apart at least: it frees
    whole pages of every arena, which takes milliseconds on a thread. Another
    C library has no such function, and needs none.
    """

    def __init__(self, at_bytes: int = AT_BYTES, every_s: float = EVERY_S, quiet_s: float = QUIET_S) -> None:
        self._at_bytes = at_bytes
        self._every_s = every_s
        self._quiet_s = quiet_s
        self._quiet: asyncio.TimerHandle | None = None
        self._noted = 0
        self._trimming: asyncio.Task[None] | None = None
        self.trims = 0
        self._trim = getattr(ctypes.CDLL(None), "malloc_trim", None)

    def note(self, freed_bytes: int) -> None:
        """`freed_bytes` are free, or will be as soon as the caller returns."""
        self._noted += freed_bytes
        if self._noted >= self._at_bytes and self._trimming is None and self._trim is not None:
            self._trimming = asyncio.create_task(self._soon())

    def busy(self) -> None:
        """The network has worked; when it was the last time for a while, memory is given back."""
        if self._quiet is not None:
            self._quiet.cancel()
        self._quiet = asyncio.get_running_loop().call_later(self._quiet_s, self.note, self._at_bytes)

    async def _soon(self) -> None:
        try:
            await asyncio.sleep(self._every_s)
            self._noted = 0
            began = time.perf_counter()
            await asyncio.to_thread(self._give_back)
            self.trims += 1
            log.debug("event=memory_given_back ms=%.1f", (time.perf_counter() - began) * 1000)
        finally:
            self._trimming = None

    def _give_back(self) -> None:
        assert self._trim is not None
        self._trim(0)

    def close(self) -> None:
        if self._quiet is not None:
            self._quiet.cancel()
        if self._trimming is not None:
            self._trimming.cancel()
