"""Asked of what a generation learned: one thread that reads and computes, a bounded wait, and None in every trouble."""

from __future__ import annotations

import asyncio
import logging
from collections import OrderedDict
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import Generic, TypeVar

from prometheus_client import Counter

from generations.held import HeldParts
from schemas.full_index.generation import LIVE

T = TypeVar("T")
A = TypeVar("A")

log = logging.getLogger(__name__)

MOST_KNOWN = 1024
"""Answers that are kept."""
MOST_WAITING = 64
"""Questions that wait for the thread; more are answered without."""
WAIT_S = 1.0
"""So long a question waits, as while a part is being read; then it goes without."""


@dataclass(frozen=True, slots=True)
class Trouble:
    """What is said and counted of a part that cannot be used: `event`, in the log with what happens instead."""

    event: str
    instead: str
    failures: Counter


class LearnedAnswers(Generic[T, A]):
    """What `answer` makes of the part and a question, or None; never raises. One event loop.

    `held` and `answer` are used on the one thread alone. Whoever asks has an answer without it: a part improves
    what is there, and holds nothing up.
    """

    def __init__(self, held: HeldParts[T], answer: Callable[[T, str], A | None], trouble: Trouble) -> None:
        self._held = held
        self._answer = answer
        self._trouble = trouble
        self._known: OrderedDict[tuple[str, str], A | None] = OrderedDict()
        self._following = ""
        self._waiting = 0
        self._complained: set[str] = set()
        self._thread = ThreadPoolExecutor(1, thread_name_prefix=trouble.event)

    def follow(self, generation: str) -> None:
        """Told again and again what serves; begins to read its part."""
        if generation not in ("", LIVE, self._following):
            self._following = generation
            self._thread.submit(self._safely, generation, "")

    async def ask(self, generation: str, question: str = "") -> A | None:
        """None: that generation has no part that is used, it is not there yet, or it has no answer to this."""
        if not generation or generation == LIVE:
            return None
        key = generation, question
        if key in self._known:
            self._known.move_to_end(key)
            return self._known[key]
        if self._waiting >= MOST_WAITING:
            return None
        self._waiting += 1
        try:
            work = asyncio.get_running_loop().run_in_executor(self._thread, self._safely, generation, question)
        except RuntimeError:  # closed
            self._waiting -= 1
            return None
        work.add_done_callback(self._done)
        try:
            found, sure = await asyncio.wait_for(asyncio.shield(work), WAIT_S)
        except TimeoutError:
            return None
        if sure:
            self._known[key] = found
            while len(self._known) > MOST_KNOWN:
                self._known.popitem(last=False)
        return found

    def close(self) -> None:
        self._thread.shutdown(wait=False, cancel_futures=True)

    def _done(self, _: object) -> None:
        self._waiting -= 1

    def _safely(self, generation: str, question: str) -> tuple[A | None, bool]:
        """On the thread: (the answer, whether it will stay so)."""
        try:
            part = self._held.get(generation)
            if part is None:
                return None, self._held.is_sure(generation)
            return self._answer(part, question), True
        except Exception as error:  # noqa: BLE001 - whatever is wrong with a part, there is an answer without it
            self._held.put_aside(generation)
            self._trouble.failures.inc()
            if str(error) not in self._complained:
                self._complained.add(str(error))
                log.error("event=%s generation=%s next=%s problem=%s", self._trouble.event, generation,
                          self._trouble.instead, error)  # fmt: skip
            return None, False
