"""An HTTP load generator in a process of its own: requests at fixed moments, whether answers are late or not.

What takes longer than its turn delays the next one of its connection, and that is counted from when it was due
("coordinated omission", Tene): a stall costs every query that fell into it. What fails is asked again by nobody.
"""

from __future__ import annotations

import asyncio
import json
import time
from collections.abc import Sequence
from multiprocessing.connection import Connection

import numpy as np
from numpy.typing import NDArray

from benchmarks.load.client import LoadClient, handed_over

_TIMEOUT_S = 30.0

Sent = NDArray[np.float64]
"""Requests, (n, 4): Unix time at which each was due, seconds from then to its answer, 1: failed, 1: lacks a shard."""


class PacedLoad(LoadClient):
    """The client process; `with` it. `per_s` of the `requests` a second, over so many connections in turn.

    Its `taken` are `Sent`.
    """

    def __init__(self, port: int, requests: Sequence[bytes], per_s: float, connections: int) -> None:
        super().__init__(_serve, port, list(requests), per_s, connections)


def _serve(orders: Connection, port: int, requests: list[bytes], per_s: float, connections: int) -> None:
    asyncio.run(_all(orders, port, requests, per_s, connections))


async def _all(orders: Connection, port: int, requests: list[bytes], per_s: float, connections: int) -> None:
    answered: list[tuple[float, ...]] = []
    began = time.time()
    asking = [
        asyncio.create_task(_ask(port, requests, began, number, per_s, connections, answered))
        for number in range(connections)
    ]
    orders.send("ready")
    while True:
        await asyncio.sleep(0.02)
        if not handed_over(orders, answered, 4):
            break
    for task in asking:
        task.cancel()
    await asyncio.gather(*asking, return_exceptions=True)


async def _ask(
    port: int,
    requests: list[bytes],
    began: float,
    number: int,
    per_s: float,
    connections: int,
    answered: list[tuple[float, ...]],
) -> None:
    line: tuple[asyncio.StreamReader, asyncio.StreamWriter] | None = None
    while True:
        due = began + number / per_s
        await asyncio.sleep(max(0.0, due - time.time()))
        failed = partial = 0.0
        try:
            async with asyncio.timeout(_TIMEOUT_S):
                if line is None:
                    line = await asyncio.open_connection("127.0.0.1", port)
                status, closes, body = await _answer(line, requests[number % len(requests)])
            failed = float(status != 200)
            partial = float(not failed and bool(json.loads(body)["missing_shards"]))
        except (OSError, EOFError, TimeoutError, ValueError):
            failed, closes = 1.0, True
        answered.append((due, time.time() - due, failed, partial))
        if closes and line is not None:
            line[1].close()
            line = None
        number += connections


async def _answer(line: tuple[asyncio.StreamReader, asyncio.StreamWriter], request: bytes) -> tuple[int, bool, bytes]:
    """(status, whether the other side closes, body). Raises what a broken connection does."""
    reader, writer = line
    writer.write(request)
    head = (await reader.readuntil(b"\r\n\r\n")).lower()
    length = head.partition(b"content-length:")[2].partition(b"\r\n")[0]
    body = await reader.readexactly(int(length))
    return int(head[9:12]), b"connection: close" in head, body
