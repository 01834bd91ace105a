"""Whether a backend is asked: the life of a searcher as the broker sees it, and of the broker as a blender does.

                 answer, or the probe's
         ┌───────────────────────────────────┐
         ▼                                   │
    ┌─────────┐   slow, failed, silent  ┌─────────┐
    │ SERVING │ ──────────────────────► │ SUSPECT │
    └─────────┘                         └─────────┘
         ▲    ▲                           ▲      │ the probe is silent,
         │    └── (as from SUSPECT)       │ slow │ or `FAILURES` in a row
         │ answer                         │      ▼
    ┌──────────┐    probe answered      ┌─────────┐
    │ ON TRIAL │ ◄───────────────────── │ EJECTED │ ◄┐ probe silent:
    └──────────┘ ─────────────────────► └─────────┘ ─┘ back-off doubled
                   failed

SERVING    asked in turn.
SUSPECT    asked when no other is left; a probe is on its way (after a failure: in a moment).
EJECTED    not asked at all; what was under way is let go. Probed again and again.
ON TRIAL   asked in turn, and its first failure ejects it again, for longer. Where nobody
           asks anything, it serves after `TRIAL_S`.

A single slow answer proves nothing, so it is the silence of a probe that
ejects: a cheap call, sent for this alone, that was not answered in
`Guarded`'s time while nothing else was answered either. An overloaded
backend answers something and stays. Named after the outlier ejection of Envoy
and drawn as qdrant draws its replica sets.
"""

from __future__ import annotations

import enum
import time
from collections.abc import Callable

FAILURES = 3
"""Failed calls in a row that eject: nobody listens there, or it breaks over every call."""
ASK_LAST_S = 1.0
"""After a failure, before it is probed and asked in turn again."""
FIRST_BACK_OFF_S = 0.1
TRIAL_S = 5.0
LONGEST_BACK_OFF_S = 1.0
"""Between two probes of an ejected one: one that answers again is back this soon at the latest."""


class State(enum.Enum):
    """See the drawing."""

    SERVING = "serving"
    SUSPECT = "suspect"
    EJECTED = "ejected"
    ON_TRIAL = "on_trial"


class Health:
    """The state machine alone: it is told what happened, and calls nobody but `changed`. One thread.

    `clock` in seconds, never going back; `changed` gets the state before and after.
    """

    def __init__(
        self,
        changed: Callable[[State, State], None] = lambda _before, _after: None,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self.state = State.SERVING
        self.turn = 0
        """Counts the changes: a probe's outcome says nothing about a state that began after it was sent."""
        self._changed = changed
        self._clock = clock
        self._probe_at = 0.0
        self._failures = 0
        self._back_off_s = FIRST_BACK_OFF_S
        self._since = clock()

    @property
    def for_s(self) -> float:
        """Seconds in this state."""
        return self._clock() - self._since

    @property
    def is_probed(self) -> bool:
        """Whether a probe is to be sent, in `probe_in_s`."""
        return self.state in (State.SUSPECT, State.EJECTED)

    @property
    def probe_in_s(self) -> float:
        """Seconds until the next probe is due; not positive: now."""
        return self._probe_at - self._clock()

    def answered(self) -> None:
        """It answered a call, be it by saying that the call is wrong."""
        if self.state is State.EJECTED:
            return
        self._failures, self._back_off_s = 0, FIRST_BACK_OFF_S
        if self.state is not State.SERVING:
            self._go(State.SERVING)

    def heard(self) -> None:
        """It said something that shows that it lives, and not that it answers queries."""
        if self.state is State.SUSPECT and not self._failures:
            self._go(State.SERVING)
        elif self.state is State.ON_TRIAL and self.for_s >= TRIAL_S:
            self.answered()

    def slow(self) -> None:
        """A call waits for longer than is usual."""
        if self.state in (State.SERVING, State.ON_TRIAL):
            self._probe_at = self._clock()
            self._go(State.SUSPECT)

    def failed(self) -> None:
        """A call failed at once: nobody listens, or it broke."""
        if self.state is State.EJECTED:
            return
        self._failures += 1
        if self.state is State.ON_TRIAL or self._failures >= FAILURES:
            self._eject()
        elif self.state is State.SERVING:
            self._probe_at = self._clock() + ASK_LAST_S
            self._go(State.SUSPECT)

    def probe_answered(self, turn: int) -> None:
        """`turn`: when the probe was sent."""
        if turn != self.turn:
            return
        if self.state is State.SUSPECT:
            self._go(State.SERVING)
        elif self.state is State.EJECTED:
            self._failures = 0
            self._go(State.ON_TRIAL)

    def probe_silent(self, turn: int) -> None:
        """Not answered in time, or failed."""
        if turn != self.turn:
            return
        if self.state is State.SUSPECT:
            self._eject()
        elif self.state is State.EJECTED:
            self._wait()

    def _eject(self) -> None:
        self._wait()
        self._go(State.EJECTED)

    def _wait(self) -> None:
        self._probe_at = self._clock() + self._back_off_s
        self._back_off_s = min(2 * self._back_off_s, LONGEST_BACK_OFF_S)

    def _go(self, state: State) -> None:
        before, self.state = self.state, state
        self.turn += 1
        self._since = self._clock()
        self._changed(before, state)
