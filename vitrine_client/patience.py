"""How long and how often one question is asked. Every call may be repeated: searches change nothing, erasing is final.

    ASK ──answer, or an error that stays──► DONE
     ▲ └──429, 502, 503, 504, no connection──► WAIT, if a try and the time are left, else DONE
     └────────────────────────────────────────┘

A wait is what `Retry-After` says, and a little more, so that those who were sent away together do not come back
together; without the header, it doubles, drawn evenly from 0 (full jitter, Brooker 2015, "Exponential backoff and
jitter").
"""

from __future__ import annotations

import random
import time
from collections.abc import Callable
from dataclasses import dataclass

import httpx

from vitrine_client.replies import Outcome, Reply, may_pass, retry_after_s

CONNECT_S = 5.0
"""Of one try, to connect; a host that drops packets leaves time for another."""
FIRST_WAIT_S = 0.2
LONGEST_WAIT_S = 5.0


@dataclass(frozen=True, slots=True)
class Patience:
    """`timeout_s`: from the call to its answer, all tries and waits together; `retries`: tries beyond the first."""

    timeout_s: float = 30.0
    retries: int = 2

    def __post_init__(self) -> None:
        if not self.timeout_s > 0 or self.retries < 0:
            raise ValueError(f"timeout_s must be above 0 and retries 0 or more, found {self}")


class Tries:
    """Of one call, from its first try on. `final`: a status that is an answer all the same; `draw`: from 0 to 1."""

    def __init__(
        self,
        patience: Patience,
        final: int | None = None,
        now: Callable[[], float] = time.monotonic,
        draw: Callable[[], float] = random.random,
    ) -> None:
        self._patience = patience
        self._final = final
        self._now = now
        self._draw = draw
        self._deadline = now() + patience.timeout_s
        self._retries = 0

    @property
    def left_s(self) -> float:
        return self._deadline - self._now()

    def timeout(self) -> httpx.Timeout:
        """Of each step of the next try."""
        left_s = max(0.001, self.left_s)
        return httpx.Timeout(left_s, connect=min(left_s, CONNECT_S))

    def on_time(self, chunk: bytes) -> bytes:
        """A piece of the answer. Raises `httpx.ReadTimeout` when the time is over: httpx bounds each step alone."""
        if self.left_s <= 0:
            raise httpx.ReadTimeout(f"the answer was not whole within {self._patience.timeout_s:g} s")
        return chunk

    def wait_s(self, outcome: Outcome) -> float | None:
        """How long to wait before another try; None: there is none, this outcome is the last."""
        if self._retries >= self._patience.retries or not may_pass(outcome):
            return None
        if isinstance(outcome, Reply) and outcome.status == self._final:
            return None
        said_s = retry_after_s(outcome)
        if said_s is None:
            wait_s = self._draw() * min(LONGEST_WAIT_S, FIRST_WAIT_S * 2.0**self._retries)
        else:
            wait_s = said_s + self._draw() * FIRST_WAIT_S
        if wait_s >= self.left_s:
            return None
        self._retries += 1
        return wait_s
