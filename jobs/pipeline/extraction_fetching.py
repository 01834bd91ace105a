"""Fetching many images at once, so that a slow host holds up only its own."""

from __future__ import annotations

import threading
from collections import deque
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from urllib.parse import urlsplit

GIVE_UP_AFTER = 8
"""Failures of a host in a row, after which its waiting images fail with the one that was tried."""
_HOSTS_REMEMBERED = 10_000


class FetchQueue:
    """Runs `fetch(key, url)` in at most `threads` threads, at most `per_host` of them for one host.

    Waiting images occupy no thread. Hosts take turns. A host that fails
    (`fetch` returns False) gets one thread until it answers again, and after
    `GIVE_UP_AFTER` failures in a row what waits for it is handed to
    `give_up(key, url)`: else a thousand images of a dead host would wait for
    a thousand timeouts. Both callbacks must not raise, and are called without
    the lock. `submit` may be called from any thread.
    """

    def __init__(
        self,
        fetch: Callable[[bytes, str], bool],
        give_up: Callable[[bytes, str], None],
        threads: int,
        per_host: int,
    ) -> None:
        self._fetch = fetch
        self._give_up = give_up
        self._per_host = per_host
        self._free = threads
        self._pool = ThreadPoolExecutor(threads, thread_name_prefix="fetch")
        self._lock = threading.Lock()
        self._waiting: dict[str, deque[tuple[bytes, str]]] = {}
        self._running: dict[str, int] = {}
        self._failures: dict[str, int] = {}

    def submit(self, key: bytes, url: str) -> None:
        host = _host(url)
        with self._lock:
            self._waiting.setdefault(host, deque()).append((key, url))
            self._dispatch()

    @property
    def under_way(self) -> int:
        """Fetches that run, those included whose outcome is not yet counted for or against their host."""
        with self._lock:
            return sum(self._running.values())

    def _dispatch(self) -> None:
        """Starts what may start, a round of the hosts at a time; the lock is held."""
        started = True
        while started and self._free:
            started = self._dispatch_round()

    def _dispatch_round(self) -> bool:
        started = False
        for host in list(self._waiting):
            if not self._free:
                break
            if self._running.get(host, 0) >= (1 if host in self._failures else self._per_host):
                continue
            started = True
            queue = self._waiting.pop(host)
            key, url = queue.popleft()
            if queue:
                self._waiting[host] = queue  # behind the other hosts
            self._free -= 1
            self._running[host] = self._running.get(host, 0) + 1
            self._pool.submit(self._run, host, key, url)
        return started

    def _run(self, host: str, key: bytes, url: str) -> None:
        answered = False
        try:
            answered = self._fetch(key, url)
        finally:
            with self._lock:
                given_up = self._note(host, answered)
                self._free += 1
                self._running[host] -= 1
                if not self._running[host]:
                    del self._running[host]
                self._dispatch()
        for other_key, other_url in given_up:
            self._give_up(other_key, other_url)

    def _note(self, host: str, answered: bool) -> deque[tuple[bytes, str]]:
        """What is not to wait for this host any longer; the lock is held."""
        if answered:
            self._failures.pop(host, None)
            return deque()
        if len(self._failures) >= _HOSTS_REMEMBERED:
            self._failures.clear()
        self._failures[host] = self._failures.get(host, 0) + 1
        if self._failures[host] < GIVE_UP_AFTER:
            return deque()
        return self._waiting.pop(host, deque())


def _host(url: str) -> str:
    try:
        return urlsplit(url).netloc
    except ValueError:
        return ""  # the fetch will refuse it
