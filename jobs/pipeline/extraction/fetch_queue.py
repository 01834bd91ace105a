"""Fetching many images at once, so that hosts that hang hold up only their own."""

from __future__ import annotations

import threading
import time
from collections import OrderedDict
from collections.abc import Callable, Iterable
from concurrent.futures import ThreadPoolExecutor
from typing import Protocol
from urllib.parse import urlsplit

from jobs.pipeline.extraction.rooms import GIVE_UP_AFTER, PATIENCE_S, Host, Outcome, Place, Rooms, Standing
from schemas.errors import TransientError

MAX_WAITING = 8192
MAX_WAITING_BYTES = 8 * 2**20
"""Of their URLs."""
FEW = 4
"""So many of a host's images are taken on also when the queue is full of others'."""
MOST = {Standing.UNPROVEN: 16, Standing.PROMPT: 512, Standing.SLOW: 64, Standing.SILENT: 16}
"""Images of one host that wait at most. All those of hosts that are not prompt: half the queue at most."""
PUT_OFF_S = 1.0
PUT_OFF_PER_S = 64
"""Of a host's images turned away, so many come back a second: none while it is asked for the ones before."""
MAX_PUT_OFF_S = 60.0
MAX_BYTES = 256 * 2**20
"""Of files that are being fetched or wait to be decoded. Above half of it no fetch begins."""
LOCATED_S = 60.0
"""After this time a host's address is asked for anew."""
_HOSTS_REMEMBERED = 10_000


class CutShort(Exception):
    """The fetch is to end: it takes longer than the patience with it, and the slow ones have no place for it."""


class Callbacks(Protocol):
    """What the queue needs of its owner. Nothing may raise; all but `fetch` must return at once.

    Called from any thread, without the lock.
    """

    def locate(self, url: str, then: Callable[[str], None]) -> None:
        """Calls `then` with the address behind the URL's host, now or later; with an empty text where there is none."""

    def fetch(self, key: bytes, url: str, turn: Turn) -> Outcome:
        """Fetches, and says what came of it to whom it concerns; not when it was cut."""

    def hold(self, key: bytes) -> None:
        """The image will take long; nobody should wait for it."""

    def put_off(self, key: bytes, wait_s: float) -> None:
        """The image is not taken on; submit it again after that time."""

    def give_up(self, key: bytes, url: str) -> None:
        """The image's host has failed too often; it is not tried."""


class FetchQueue:
    """Runs fetches in at most `threads` threads, under the rules of `jobs.pipeline.extraction.rooms`.

    Waiting images occupy no thread. Hosts of equal standing take turns. After
    `GIVE_UP_AFTER` failures of a host in a row what waits for it is given up:
    else a thousand images of a dead host would wait for a thousand timeouts.
    What waits is bounded, in all and for each host; the rest is put off.
    Methods may be called from any thread.
    """

    def __init__(
        self,
        callbacks: Callbacks,
        threads: int,
        per_host: int,
        max_bytes: int = MAX_BYTES,
        patience_s: float = PATIENCE_S,
    ) -> None:
        self._callbacks = callbacks
        self._rooms = Rooms(threads, per_host)
        self._max_bytes = max_bytes
        self._patience_s = patience_s
        self._pool = ThreadPoolExecutor(threads, thread_name_prefix="fetch")
        self._lock = threading.Lock()
        self._hosts: OrderedDict[str, Host] = OrderedDict()
        self._rings: dict[Standing, OrderedDict[str, Host]] = {standing: OrderedDict() for standing in Standing}
        self._waiting = dict.fromkeys(Standing, 0)
        self._waiting_bytes = 0
        self._running = 0
        self._bytes = 0
        self._slow_bytes = 0
        self._kept: dict[bytes, int] = {}

    def submit(self, key: bytes, url: str) -> None:
        """Takes the image on, or puts it off, or gives it up."""
        now = time.monotonic()
        with self._lock:
            host = self._host(_host(url))
            refused = self._refusal(host, url)
            if refused is None:
                self._wait(host, [(key, url)])
            locates = refused is None and now - host.located_at > LOCATED_S
            if locates:
                host.located_at = now
            self._dispatch()
            # Of a new host's images one runs, and the rest may come soon; where none may, many hosts hang.
            stuck = bool(host.waiting) and not host.running and host.address is not None
            holds = refused is None and (stuck or not host.standing.quick)
        if refused is not None:
            if refused:
                self._callbacks.put_off(key, refused)
            else:
                self._callbacks.give_up(key, url)
        if holds:
            self._callbacks.hold(key)
        if locates:
            self._callbacks.locate(url, lambda address: self._located(host, address))

    def release(self, key: bytes) -> None:
        """The file that was fetched is not held in memory any longer."""
        with self._lock:
            self._bytes -= self._kept.pop(key, 0)
            self._dispatch()

    @property
    def under_way(self) -> int:
        """Fetches that run, those included whose outcome is not yet counted for or against their host."""
        with self._lock:
            return self._running

    @property
    def waiting(self) -> int:
        with self._lock:
            return sum(self._waiting.values())

    def _host(self, name: str) -> Host:
        host = self._hosts.get(name)
        if host is None:
            if len(self._hosts) >= _HOSTS_REMEMBERED:
                self._forget()
            host = self._hosts[name] = Host(name)
        return host

    def _forget(self) -> None:
        """Hosts that nothing is wanted of; the prompt ones are kept if that suffices."""
        for kept in ({Standing.PROMPT}, set()):
            self._hosts = OrderedDict(
                (name, host)
                for name, host in self._hosts.items()
                if host.waiting or host.running or host.standing in kept
            )
            if len(self._hosts) < _HOSTS_REMEMBERED:
                return

    def _refusal(self, host: Host, url: str) -> float | None:
        """None: the image is taken on. Else the seconds to put it off for; 0: it is given up. The lock is held."""
        waiting, total = len(host.waiting), sum(self._waiting.values())
        doubtful = total - self._waiting[Standing.PROMPT]
        most_doubtful = total if host.standing is Standing.PROMPT else MAX_WAITING // 2
        if waiting < MOST[host.standing] and total < MAX_WAITING and doubtful <= most_doubtful:
            room = MAX_WAITING_BYTES
        elif waiting < FEW and total < 2 * MAX_WAITING:
            room = 2 * MAX_WAITING_BYTES
        else:
            room = 0
        if self._waiting_bytes + len(url) <= room:
            return None
        if host.failures >= GIVE_UP_AFTER:
            return 0.0
        host.put_off += 1
        return min(MAX_PUT_OFF_S, PUT_OFF_S + host.put_off / PUT_OFF_PER_S)

    def _wait(self, host: Host, images: Iterable[tuple[bytes, str]], first: bool = False) -> None:
        for image in images:
            (host.waiting.appendleft if first else host.waiting.append)(image)
            self._waiting[host.standing] += 1
            self._waiting_bytes += len(image[1])
        self._rings[host.standing].setdefault(host.name, host)

    def _take(self, host: Host) -> tuple[bytes, str]:
        image = host.waiting.popleft()
        self._waiting[host.standing] -= 1
        self._waiting_bytes -= len(image[1])
        if not host.waiting:
            del self._rings[host.standing][host.name]
        if len(host.waiting) < FEW:
            host.put_off = 0
        return image

    def _restand(self, host: Host, change: Callable[[], None]) -> None:
        """What waits for a host waits where its standing says, also after `change`."""
        before = host.standing
        change()
        if host.waiting and host.standing is not before:
            self._waiting[before] -= len(host.waiting)
            self._waiting[host.standing] += len(host.waiting)
            del self._rings[before][host.name]
            self._rings[host.standing][host.name] = host

    def _located(self, host: Host, address: str) -> None:
        with self._lock:
            host.address = address
            self._dispatch()

    def _dispatch(self) -> None:
        """Starts what may start, the best hosts first; the lock is held."""
        for standing in (Standing.PROMPT, Standing.UNPROVEN, Standing.SLOW, Standing.SILENT):
            ring = self._rings[standing]
            passed = 0
            while passed < len(ring) and self._bytes <= self._max_bytes // 2 and self._rooms.has_place(standing):
                name, host = next(iter(ring.items()))
                ring.move_to_end(name)  # behind the other hosts
                if not self._rooms.may_start(host):
                    passed += 1
                    continue
                passed = 0
                key, url = self._take(host)
                self._running += 1
                self._pool.submit(self._run, Turn(self, self._rooms.enter(host), self._patience_s, key), key, url)

    def _run(self, turn: Turn, key: bytes, url: str) -> None:
        outcome, began = Outcome.FAILED, time.monotonic()
        try:
            outcome = self._callbacks.fetch(key, url, turn)
        finally:
            late = time.monotonic() - began > self._patience_s
            with self._lock:
                host = turn.place.host
                self._rooms.leave(turn.place)
                self._running -= 1
                self._bytes -= turn.n_bytes
                self._slow_bytes -= 0 if turn.place.standing.quick else turn.n_bytes
                self._restand(host, lambda: host.note(outcome, late))
                if outcome is Outcome.CUT:
                    self._wait(host, [(key, url)], first=True)
                given_up = [self._take(host) for _ in tuple(host.waiting)] if host.failures >= GIVE_UP_AFTER else []
                self._dispatch()
            for other_key, other_url in given_up:
                self._callbacks.give_up(other_key, other_url)

    def _keep(self, turn: Turn) -> None:
        with self._lock:
            self._kept[turn.key] = turn.n_bytes
            self._slow_bytes -= 0 if turn.place.standing.quick else turn.n_bytes
            turn.n_bytes = 0

    def _grow(self, turn: Turn, n_bytes: int) -> None:
        with self._lock:
            slow = not turn.place.standing.quick
            if self._bytes + n_bytes > self._max_bytes or (
                slow and self._slow_bytes + n_bytes > self._max_bytes // 4 and self._slow_bytes > turn.n_bytes
            ):
                raise TransientError("fetch_no_room", f"{self._bytes} bytes of other images are held; tried again")
            turn.n_bytes += n_bytes
            self._bytes += n_bytes
            self._slow_bytes += n_bytes if slow else 0

    def _late(self, turn: Turn) -> None:
        with self._lock:
            moved = self._rooms.move_to_slow(turn.place)
            if moved:
                self._slow_bytes += turn.n_bytes
            host = turn.place.host
            if host.standing.quick:  # else its other images would follow into the quick room
                self._restand(host, lambda: setattr(host, "standing", Standing.SLOW))
            self._dispatch()
            others = [key for key, _ in host.waiting]
        for key in (turn.key, *others):
            self._callbacks.hold(key)
        if not moved:
            raise CutShort


class Turn:
    """A running fetch's side of the queue (`vision.fetching.fetch.Turn`); used by its thread alone."""

    def __init__(self, queue: FetchQueue, place: Place, patience_s: float, key: bytes) -> None:
        self._queue = queue
        self.place = place
        self.key = key
        self.n_bytes = 0
        self.patience_s = patience_s if place.standing.quick else None

    def late(self) -> None:
        """The fetch goes on among the slow ones. Raises `CutShort` when these have no place for it."""
        self._queue._late(self)

    def grow(self, n_bytes: int) -> None:
        """So many bytes more are held. Raises `TransientError('fetch_no_room', ...)`."""
        self._queue._grow(self, n_bytes)

    def keep(self) -> None:
        """The bytes are held until `FetchQueue.release`, also when the fetch has ended."""
        self._queue._keep(self)


def _host(url: str) -> str:
    try:
        return urlsplit(url).netloc
    except ValueError:
        return ""  # the fetch will refuse it
