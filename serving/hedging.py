"""One answer from several backends that can all give it: whichever is first.

Trying a second one when the first is slow is the hedged request of Dean and
Barroso, "The Tail at Scale" (CACM 2013): after the 95th percentile of what
answers take, so that few questions are asked twice.
"""

from __future__ import annotations

import asyncio
import time
from collections import deque
from collections.abc import Callable, Coroutine, Sequence
from contextlib import suppress
from typing import Any, TypeVar

from schemas.errors import RejectedError, TransientError
from serving.backend import OVERDUE
from serving.guarded import Guarded

Answer = TypeVar("Answer")
Call = Callable[[Guarded, float], Coroutine[None, None, Answer]]
"""(whom, seconds left) -> its answer."""
Again = Callable[[TransientError | None], None]
"""Told why one failed; None where one is slow and another is asked beside it."""

LEAST_S = 0.01
_REMEMBERED = 256
_FEW = 32


class Patience:
    """How long a backend is waited for before another is asked too.

    Half as much again as 95 of 100 answers take, of the last `_REMEMBERED`;
    from `LEAST_S` to `most_s`, which it is until there are `_FEW`.
    """

    def __init__(self, most_s: float) -> None:
        self._most_s = most_s
        self._took_s: deque[float] = deque(maxlen=_REMEMBERED)
        self._new = 0
        self.seconds = most_s

    def note(self, took_s: float) -> None:
        """An answer came after `took_s`."""
        self._took_s.append(took_s)
        self._new += 1
        if self._new >= _FEW:
            self._new = 0
            in_order = sorted(self._took_s)
            self.seconds = min(self._most_s, max(LEAST_S, 1.5 * in_order[len(in_order) * 95 // 100]))


async def first_answer(
    order: Sequence[Guarded], call: Call[Answer], budget_s: float, patience: Patience, late: str, again: Again
) -> Answer:
    """Asks them in turn, one at least: the next one on an error at once, or beside a slow one when patience ends.

    Raises the last `TransientError` when all failed, `overdue` with the words
    `late` when none was in time, `RejectedError` as soon as one says so.
    """
    deadline = time.monotonic() + budget_s
    untried = deque(order)
    running: dict[asyncio.Task[Any], float] = {}
    problem = TransientError(OVERDUE, late)
    try:
        while True:
            left_s = deadline - time.monotonic()
            asked = untried.popleft() if untried and left_s > 0 else None
            if asked is not None:
                running[asyncio.create_task(call(asked, left_s))] = time.monotonic()
            elif not running or left_s <= 0:
                raise problem
            wait_s = min(left_s, patience.seconds) if untried else left_s
            done, _ = await asyncio.wait(running, timeout=wait_s, return_when=asyncio.FIRST_COMPLETED)
            if not done and untried and asked is not None:
                asked.slow()
                again(None)
            for work in done:
                began = running.pop(work)
                try:
                    answer: Answer = work.result()
                except TransientError as error:
                    problem = error
                    again(error)
                else:
                    patience.note(time.monotonic() - began)
                    return answer
    finally:
        for work in running:
            work.cancel()
        for work in running:
            with suppress(asyncio.CancelledError, TransientError, RejectedError):
                await work
