"""How much a key may still ask for: token buckets, which fill at the key's rate up to what a while of it would give."""

from __future__ import annotations

import math
import time
from collections.abc import Callable

from schemas.access.api_keys import ApiKey
from schemas.errors import VitrineError

ALLOWANCE = "vitrine.allowance"
"""Where in the ASGI scope the caller's `Allowance` is, if it has a key."""
BURST_S = 1.0
"""Requests may come in bursts of as many as this time allows, and at least one."""


class TooManyError(VitrineError):
    """A limit of the caller's key is reached; it is there again in `retry_after_s`."""

    def __init__(self, what: str, retry_after_s: float) -> None:
        self.retry_after_s = max(1, math.ceil(retry_after_s))
        super().__init__(f"this key allows {what}; try again in {self.retry_after_s} s")


class Bucket:
    """Holds up to `capacity`, filled at `per_s`; 0: without end."""

    def __init__(self, per_s: float, capacity: float, now: Callable[[], float] = time.monotonic) -> None:
        self._per_s = per_s
        self._capacity = capacity
        self._now = now
        self._level = capacity
        self._filled_at = now()

    def take(self, amount: float) -> float:
        """0 when there was enough, else the seconds until there will be; then nothing is taken.

        `math.inf`: more than it ever holds.
        """
        if self._per_s <= 0:
            return 0.0
        now = self._now()
        self._level = min(self._capacity, self._level + (now - self._filled_at) * self._per_s)
        self._filled_at = now
        if amount <= self._level:
            self._level -= amount
            return 0.0
        return math.inf if amount > self._capacity else (amount - self._level) / self._per_s


class Allowance:
    """Of one key, for as long as its limits stay as they are. Lives on one event loop."""

    def __init__(self, key: ApiKey, now: Callable[[], float] = time.monotonic) -> None:
        self._requests_per_s = key.requests_per_s
        self._bytes = key.photo_bytes_per_minute
        self._request_bucket = Bucket(key.requests_per_s, max(1.0, key.requests_per_s * BURST_S), now)
        self._photo_bucket = Bucket(key.photo_bytes_per_minute / 60, key.photo_bytes_per_minute, now)

    def fits(self, key: ApiKey) -> bool:
        """Whether it is of the limits that `key` has now."""
        return (self._requests_per_s, self._bytes) == (key.requests_per_s, key.photo_bytes_per_minute)

    def request(self) -> None:
        """One more request. Raises `TooManyError`."""
        if wait_s := self._request_bucket.take(1.0):
            raise TooManyError(f"{self._requests_per_s:g} requests a second", wait_s)

    def photo(self, length: int) -> None:
        """So many more bytes of photos. Raises `TooManyError`."""
        if wait_s := self._photo_bucket.take(length):
            raise TooManyError(f"{self._bytes} bytes of photos a minute", 60.0 if wait_s == math.inf else wait_s)
