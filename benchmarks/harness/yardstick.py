"""How fast the machine is at this moment: four fixed pieces of work, beside every result.

A rented machine is not the same every day: figures of two days compare only
by what else was measured on both. Each piece is repeated and its quickest run
counts, so that what runs beside it does little to it.
"""

from __future__ import annotations

import subprocess
import time
from collections.abc import Callable

import numpy as np

_REPEATS = 20
_TURNS = 20_000
_NUMBERS = 8_000
_PRODUCTS = 500
_COPIED = 32 << 20
_HANDOVERS = 300


def yardstick() -> dict[str, float]:
    """Of one core, a second in all.

    python_us: 1,000 turns of a loop that adds. scalar_product_ns: of 8,000
    float32 numbers, by BLAS (too few for a second thread). copy_gib_per_s: of
    32 MiB. handover_us: a byte through a pipe to another process and back.
    """
    random = np.random.default_rng(1)
    left, right = random.random((2, _NUMBERS), dtype=np.float32)
    source, target = np.ones(_COPIED, np.uint8), np.empty(_COPIED, np.uint8)

    def products() -> None:
        for _ in range(_PRODUCTS):
            left @ right

    return {
        "python_us": round(1e6 * _quickest(_loop) / (_TURNS / 1000), 1),
        "scalar_product_ns": round(1e9 * _quickest(products) / _PRODUCTS),
        "copy_gib_per_s": round(_COPIED / 2**30 / _quickest(lambda: np.copyto(target, source)), 1),
        "handover_us": round(1e6 * _handover(), 1),
    }


def _quickest(work: Callable[[], object], repeats: int = _REPEATS) -> float:
    """Seconds."""
    best = float("inf")
    for _ in range(repeats):
        started = time.perf_counter()
        work()
        best = min(best, time.perf_counter() - started)
    return best


def _loop() -> int:
    total = 0
    for number in range(_TURNS):
        total += number
    return total


def _handover() -> float:
    """Seconds."""
    with subprocess.Popen(["cat"], stdin=subprocess.PIPE, stdout=subprocess.PIPE, bufsize=0) as echo:
        assert echo.stdin is not None and echo.stdout is not None
        ask, answer = echo.stdin, echo.stdout

        def there_and_back() -> None:
            ask.write(b"x")
            answer.read(1)

        seconds = _quickest(there_and_back, _HANDOVERS)
        ask.close()
    return seconds
