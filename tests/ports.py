"""Ports that nobody uses, so that the tests run beside a running system and beside each other."""

from __future__ import annotations

import os
import random
import socket

_FIRST = 20_000
_LAST = 31_000  # the ephemeral range of Linux begins at 32768: a client's socket never takes one of ours


def free_block(count: int) -> int:
    """The first of `count` consecutive ports that are free now, as are those 1000 above (metrics of the services).

    Processes of one run look in ranges of their own: a part that one has killed finds its port free when it comes back.
    VITRINE_TEST_PORTS=FIRST fixes where to look.
    """
    fixed = os.environ.get("VITRINE_TEST_PORTS")
    if fixed:
        candidates = list(range(int(fixed), int(fixed) + 100, count))
    else:
        worker = os.environ.get("PYTEST_XDIST_WORKER", "gw0")
        workers = int(os.environ.get("PYTEST_XDIST_WORKER_COUNT", "1"))
        span = (_LAST - _FIRST) // workers
        first = _FIRST + int(worker.removeprefix("gw")) % workers * span
        chooser = random.Random(f"{os.getpid()} {worker}")
        candidates = [chooser.randrange(first, first + span, 8) for _ in range(500)]
    for first in candidates:
        if all(_is_free(port) and _is_free(port + 1000) for port in range(first, first + count)):
            return first
    raise RuntimeError(f"no {count} free ports in a row among {len(candidates)} places tried")


def _is_free(port: int) -> bool:
    with socket.socket() as probe:
        # As servers do, so that a port that only rests in TIME_WAIT counts as free.
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind(("127.0.0.1", port))
        except OSError:
            return False
    return True
