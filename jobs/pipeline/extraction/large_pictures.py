"""Large pictures, decoded one at a time and beside the others, so that they hold up only one another."""

from __future__ import annotations

import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor

LARGE_PIXELS = 8_000_000
"""What holds more at full size is large: a picture of 50 million pixels takes 1 GB and 3 s, whoever sends it."""
MOST_WAITING = 256
MOST_BYTES = 64 * 2**20
"""Of the files that wait, undecoded."""
SECONDS_EACH = 0.5
"""What one takes, about; after so many times this a picture that found no room is asked for again."""


class LargePictures:
    """One thread and a bounded queue before it. `submit` may be called from any thread."""

    def __init__(self, decode: Callable[[bytes, bytes], None]) -> None:
        """`decode(key, data)` must not raise."""
        self._decode = decode
        self._lock = threading.Lock()
        self._waiting = 0
        self._bytes = 0
        self._pool = ThreadPoolExecutor(1, thread_name_prefix="decode-large")

    def submit(self, key: bytes, data: bytes) -> float | None:
        """Takes the picture on; else the seconds after which there may be room. One is always taken when none waits."""
        with self._lock:
            if self._waiting and (self._waiting >= MOST_WAITING or self._bytes + len(data) > MOST_BYTES):
                return 1.0 + self._waiting * SECONDS_EACH
            self._waiting += 1
            self._bytes += len(data)
        self._pool.submit(self._run, key, data)
        return None

    def _run(self, key: bytes, data: bytes) -> None:
        try:
            self._decode(key, data)
        finally:
            with self._lock:
                self._waiting -= 1
                self._bytes -= len(data)
