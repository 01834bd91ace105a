"""What a person sees while the system starts: one line a step, what it waits for, and for how long."""

from __future__ import annotations

import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import TextIO

WAITING_LINE_S = 10.0
BAR_WIDTH = 30


class Progress:
    """Prints steps to `stream`. Used from one thread."""

    def __init__(self, stream: TextIO | None = None, clock: Callable[[], float] = time.monotonic) -> None:
        self._given = stream
        self._clock = clock
        self._began = clock()
        self._last = self._began
        self._bar_stands = False

    @property
    def _stream(self) -> TextIO:
        """Standard error as it is now: a test's may be another, or closed, by the time that a system is stopped."""
        return sys.stderr if self._given is None else self._given

    def say(self, text: str) -> None:
        """One line, led by the seconds since the command began."""
        self._last = self._clock()
        if self._bar_stands:
            self._bar_stands = False
            print(file=self._stream)
        print(f"[{self._last - self._began:6.1f} s] {text}", file=self._stream, flush=True)

    def waiting(self, text: str) -> None:
        """Like `say`, but at most every `WAITING_LINE_S`: call it as often as one polls."""
        if self._clock() - self._last >= WAITING_LINE_S:
            self.say(f"  still waiting for {text}")

    def bar(self, share: float, text: str) -> None:
        """How much of one long step is done, 0 to 1: redrawn on a terminal, elsewhere a line every `WAITING_LINE_S`."""
        full = round(max(0.0, min(1.0, share)) * BAR_WIDTH)
        line = f"[{'#' * full}{'.' * (BAR_WIDTH - full)}] {share:4.0%} {text}"
        if self._stream.isatty():
            self._last = self._clock()
            print(f"\r[{self._last - self._began:6.1f} s] {line}\x1b[K", end="", file=self._stream, flush=True)
            self._bar_stands = True
        elif self._clock() - self._last >= WAITING_LINE_S:
            self.say(line)

    @contextmanager
    def step(self, text: str) -> Iterator[None]:
        """A step with its own duration; nothing is said at the end when it raises."""
        self.say(f"{text} ...")
        began = self._clock()
        yield
        self.say(f"{text}: done in {self._clock() - began:.1f} s")


class Silent(Progress):
    """Says nothing (tests, `--json`)."""

    def say(self, text: str) -> None:
        self._last = self._clock()

    def bar(self, share: float, text: str) -> None:
        self._last = self._clock()
