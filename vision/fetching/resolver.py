"""Addresses of host names, in bounded time and with bounded threads, whatever the name servers do.

`getaddrinfo` knows no timeout and holds its thread as long as the system's
resolver waits. So every look-up has a thread of its own, `MAX_LOOK_UPS` at
most, and whoever asks is answered after `LOOK_UP_S` also where it hangs.
A quarter of the threads is for names that have resolved before.
"""

from __future__ import annotations

import ipaddress
import queue
import socket
import threading
import time
from collections import OrderedDict
from collections.abc import Callable
from dataclasses import dataclass, field

from schemas.errors import TransientError

MAX_LOOK_UPS = 256
LOOK_UP_S = 10.0
FRESH_S = 60.0
"""An answer is used for so long."""
STALE_S = 600.0
"""And for so long while it is asked for anew: a name server that hangs stops no host that is known."""
FAILED_S = 2.0
"""A name that did not resolve is not asked for again for so long."""
NAMES_REMEMBERED = 10_000

Answer = list[str] | TransientError


@dataclass(slots=True)
class _Name:
    """`at`: when the answer came. `again_at`: when the next look-up may begin."""

    answer: Answer | None = None
    at: float = float("-inf")
    again_at: float = float("-inf")
    look_up_began: float | None = None
    asking: list[Callable[[Answer], None]] = field(default_factory=list)


class Resolver:
    """Thread-safe; one for all that fetch under one policy."""

    def __init__(self, max_look_ups: int = MAX_LOOK_UPS, look_up_s: float = LOOK_UP_S) -> None:
        self._max_look_ups = max_look_ups
        self._look_up_s = look_up_s
        self._lock = threading.Condition()
        self._names: OrderedDict[str, _Name] = OrderedDict()
        self._pending: OrderedDict[str, float] = OrderedDict()
        self._running = 0
        self._clock: threading.Thread | None = None

    def resolve(self, host: str, timeout_s: float) -> list[str]:
        """All addresses of `host`, in the system's order. Raises `TransientError('dns', ...)`, also for the timeout."""
        answers: queue.SimpleQueue[Answer] = queue.SimpleQueue()
        self.ask(host, answers.put)
        try:
            answer = answers.get(timeout=timeout_s)
        except queue.Empty:
            raise TransientError("dns", f"{host} did not resolve within the fetch's time") from None
        if isinstance(answer, TransientError):
            raise TransientError(answer.reason, answer.detail)
        return answer

    def ask(self, host: str, then: Callable[[Answer], None]) -> None:
        """Calls `then` with the addresses or what went wrong: at once where that is known, else from another thread."""
        if _is_address(host):
            then([host])
            return
        with self._lock:
            answer = self._known(host, then)
        if answer is not None:
            then(answer)

    def _known(self, host: str, then: Callable[[Answer], None]) -> Answer | None:
        """The answer to give now; None: `then` is called later. Begins with a look-up where one is due."""
        name, now = self._name(host), time.monotonic()
        if name.answer is not None and now < name.again_at:
            return name.answer
        stale = isinstance(name.answer, list) and now - name.at < STALE_S
        if name.look_up_began is None:
            if self._running < (self._max_look_ups if stale else self._max_look_ups * 3 // 4):
                self._begin(host, name)
            elif not stale:
                return TransientError("dns", f"{host} is not looked up: {self._running} other names do not resolve")
        if stale:
            return name.answer
        if host not in self._pending:
            return TransientError("dns", f"{host} does not resolve: it is still being looked up after all the time")
        name.asking.append(then)
        return None

    def _name(self, host: str) -> _Name:
        name = self._names.get(host)
        if name is None:
            if len(self._names) >= NAMES_REMEMBERED:
                oldest = next((key for key, each in self._names.items() if each.look_up_began is None), None)
                if oldest is not None:
                    del self._names[oldest]
            name = self._names[host] = _Name()
        return name

    def _begin(self, host: str, name: _Name) -> None:
        name.look_up_began = time.monotonic()
        self._running += 1
        self._pending[host] = name.look_up_began + self._look_up_s
        if self._clock is None:
            self._clock = threading.Thread(target=self._end_late_ones, name="resolver-clock", daemon=True)
            self._clock.start()
        self._lock.notify_all()
        threading.Thread(target=self._look_up, args=(host,), name=f"resolve-{host}", daemon=True).start()

    def _look_up(self, host: str) -> None:
        answer: Answer
        try:
            found = socket.getaddrinfo(host, None, type=socket.SOCK_STREAM)
            answer = list(dict.fromkeys(str(entry[4][0]) for entry in found))
        except (OSError, UnicodeError) as error:
            answer = TransientError("dns", f"{host} does not resolve: {error}")
        with self._lock:
            self._running -= 1
            name = self._names[host]
            name.look_up_began = None
            asking = self._answered(host, name, answer)
        for then in asking:
            then(answer)

    def _answered(self, host: str, name: _Name, answer: Answer) -> list[Callable[[Answer], None]]:
        self._pending.pop(host, None)
        now = time.monotonic()
        name.again_at = now + (FRESH_S if isinstance(answer, list) else FAILED_S)
        if isinstance(answer, list) or not isinstance(name.answer, list) or now - name.at > STALE_S:
            name.answer, name.at = answer, now
        asking, name.asking = name.asking, []
        return asking

    def _end_late_ones(self) -> None:
        while True:
            with self._lock:
                while not self._pending:
                    self._lock.wait()
                host, ends_at = next(iter(self._pending.items()))
                left = ends_at - time.monotonic()
                if left > 0:
                    self._lock.wait(left)
                    continue
                late = TransientError("dns", f"{host} did not resolve within {self._look_up_s:g} s")
                asking = self._answered(host, self._names[host], late)
            for then in asking:
                then(late)


def _is_address(host: str) -> bool:
    try:
        ipaddress.ip_address(host)
    except ValueError:
        return False
    return True
