"""Which fetch may run: rooms for hosts by how they answered last, and limits for each host and address.

```
            quick room (3/4 of the threads)                slow room (1/4)
 UNPROVEN   at most half of all threads, 1 a host
 PROMPT     all of it, `per_host` a host
 SLOW                                                      all of it, half of `per_host` a host
 SILENT                                                    half of it, 1 a host
```

A fetch in the quick room that takes longer than `PATIENCE_S` moves to the slow
one, or ends where that has no place for it. So hosts that hang hold a quick
thread for `PATIENCE_S` once, and hosts that answer always have a quarter of
the threads to themselves. Names with one address are one server: it gets twice
`per_host` fetches at once, half of them at most for names that are not PROMPT.
"""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass, field
from enum import Enum

PATIENCE_S = 1.0
"""Who answers within this time is prompt."""
GIVE_UP_AFTER = 8
"""Failures of a host in a row, after which its waiting images fail with the one that was tried."""


class Standing(Enum):
    """What is known of a host. The state after a fetch: see `Host.note`."""

    UNPROVEN = "unproven"
    """Never asked, or its last answer was a failure that came at once."""
    PROMPT = "prompt"
    SLOW = "slow"
    """Answers, but took longer than `PATIENCE_S` the last time."""
    SILENT = "silent"
    """Had not answered when its time was over."""

    @property
    def quick(self) -> bool:
        return self in (Standing.UNPROVEN, Standing.PROMPT)


class Outcome(Enum):
    """Of one fetch. ANSWERED: the host is well, whatever it said. CUT: it was not let go on, and waits again."""

    ANSWERED = "answered"
    FAILED = "failed"
    CUT = "cut"


@dataclass(slots=True)
class Host:
    """`address` is None as long as the name is being looked up, and empty where no limit holds (files).

    `put_off`: images turned away since its queue was last short.
    """

    name: str
    standing: Standing = Standing.UNPROVEN
    failures: int = 0
    waiting: deque[tuple[bytes, str]] = field(default_factory=deque)
    running: int = 0
    address: str | None = None
    located_at: float = float("-inf")
    put_off: int = 0

    def note(self, outcome: Outcome, late: bool) -> None:
        """`late`: the fetch took longer than `PATIENCE_S`."""
        if outcome is Outcome.ANSWERED:
            self.failures = 0
            self.standing = Standing.SLOW if late else Standing.PROMPT
        elif outcome is Outcome.CUT:
            self.standing = Standing.SILENT
        else:
            self.failures += 1
            self.standing = Standing.SILENT if late else Standing.UNPROVEN


@dataclass(slots=True)
class Place:
    """What a running fetch occupies. `standing`: its host's when it began, or what it has come to since."""

    host: Host
    standing: Standing
    address: str


class Rooms:
    """Counts who runs where. Not thread-safe: its owner has a lock."""

    def __init__(self, threads: int, per_host: int) -> None:
        """`threads`: at least 4."""
        slow = max(1, threads // 4)
        self._room = {True: threads - slow, False: slow}
        self._most = {
            Standing.UNPROVEN: max(1, threads // 2),
            Standing.PROMPT: threads - slow,
            Standing.SLOW: slow,
            Standing.SILENT: max(1, slow // 2),
        }
        self._per_host = {
            Standing.UNPROVEN: 1,
            Standing.PROMPT: per_host,
            Standing.SLOW: max(1, per_host // 2),
            Standing.SILENT: 1,
        }
        self._per_address = {True: 2 * per_host, False: per_host}
        self._running = dict.fromkeys(Standing, 0)
        self._by_address: dict[tuple[str, bool], int] = {}

    def has_place(self, standing: Standing) -> bool:
        in_room = sum(count for each, count in self._running.items() if each.quick == standing.quick)
        return in_room < self._room[standing.quick] and self._running[standing] < self._most[standing]

    def may_start(self, host: Host) -> bool:
        """Whether the host and its address may have one more, if there is a place."""
        if host.address is None or host.running >= self._per_host[host.standing]:
            return False
        return self._address_has_place(host.address, host.standing)

    def enter(self, host: Host) -> Place:
        assert host.address is not None
        place = Place(host, host.standing, host.address)
        host.running += 1
        self._count(place, 1)
        return place

    def leave(self, place: Place) -> None:
        place.host.running -= 1
        self._count(place, -1)

    def move_to_slow(self, place: Place) -> bool:
        """A fetch of the quick room that takes long; whether the slow room takes it. If not, it counts where it was."""
        self._count(place, -1)
        # Who has answered before is slow for now; who never did may as well be silent.
        slow = Standing.SLOW if place.standing is Standing.PROMPT else Standing.SILENT
        moved = self.has_place(slow) and self._address_has_place(place.address, slow)
        if moved:
            place.standing = slow
        self._count(place, 1)
        return moved

    def _address_has_place(self, address: str, standing: Standing) -> bool:
        if not address:
            return True
        prompt, doubtful = (self._by_address.get((address, each), 0) for each in (True, False))
        if prompt + doubtful >= self._per_address[True]:
            return False
        return standing is Standing.PROMPT or doubtful < self._per_address[False]

    def _count(self, place: Place, change: int) -> None:
        self._running[place.standing] += change
        if not place.address:
            return
        key = place.address, place.standing is Standing.PROMPT
        self._by_address[key] = self._by_address.get(key, 0) + change
        if not self._by_address[key]:
            del self._by_address[key]
