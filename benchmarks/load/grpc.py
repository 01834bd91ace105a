"""A gRPC load generator in a process of its own: queries at fixed moments, whether answers are late or not."""

from __future__ import annotations

import asyncio
import os
import time
from collections.abc import Sequence
from multiprocessing.connection import Connection
from pathlib import Path
from typing import Any

import grpc.aio
import numpy as np
from numpy.typing import NDArray

from benchmarks.load.client import LoadClient, handed_over
from schemas.errors import OperatorError
from schemas.search_pb2 import SearchRequest
from schemas.search_pb2_grpc import SearchStub

_FIRST_QUERIES = 50

Sent = NDArray[np.float64]
"""Queries, (n, 5): Unix time at which each was due, seconds late that it was sent, seconds to its answer, 1: failed,
1: the answer lacks a shard."""


class QueryClient(LoadClient):
    """The client process; `with` it. `per_s`: queries a second, for the best `limit` images each.

    Its `taken` are `Sent`. realtime: see `run_before_others`.
    """

    def __init__(
        self, address: str, queries: NDArray[np.float32], per_s: float, limit: int, realtime: bool = False
    ) -> None:
        super().__init__(_serve, address, queries, per_s, limit, realtime)


def _serve(
    orders: Connection, address: str, queries: NDArray[np.float32], per_s: float, limit: int, realtime: bool
) -> None:
    if realtime:
        run_before_others(os.getpid())
    asyncio.run(_query(orders, address, [query.astype("<f4").tobytes() for query in queries], per_s, limit))


async def _query(orders: Connection, address: str, queries: list[bytes], per_s: float, limit: int) -> None:
    answered: list[tuple[float, ...]] = []
    async with grpc.aio.insecure_channel(address) as channel:
        stub: Any = SearchStub(channel)  # type: ignore[no-untyped-call]

        async def one(number: int, due: float) -> None:
            failed, partial, sent = 0.0, 0.0, time.time()
            try:
                answer = await stub.Search(
                    SearchRequest(vectors=queries[number % len(queries)], count=1, limit=limit), timeout=10
                )
                partial = float(len(answer.missing_shards) > 0)
            except grpc.aio.AioRpcError:
                failed = 1.0
            answered.append((due, sent - due, time.time() - sent, failed, partial))

        for number in range(_FIRST_QUERIES):
            await one(number, time.time())
        answered.clear()
        orders.send("ready")
        began, number = time.time(), 0
        running: set[asyncio.Task[None]] = set()
        while True:
            due = began + number / per_s
            await asyncio.sleep(max(0.0, due - time.time()))
            task = asyncio.create_task(one(number, due))
            running.add(task)
            task.add_done_callback(running.discard)
            number += 1
            if not handed_over(orders, answered, 5):
                break
        await asyncio.gather(*running)


def run_before_others(pid: int) -> None:
    """Gives a process, and the threads that it will start, the processor whenever they want it. Needs root."""
    try:
        for thread in Path(f"/proc/{pid}/task").iterdir():
            os.sched_setscheduler(int(thread.name), os.SCHED_RR, os.sched_param(1))
    except PermissionError as error:
        raise OperatorError(
            f"--realtime needs the right to raise priorities ({error}): be root, or go without"
        ) from None


def latencies(queries: Sent, windows: Sequence[tuple[float, float]]) -> dict[str, float]:
    """Of queries due in any of the windows: count, failures, answers that lack a shard, percentiles."""
    due = queries[:, 0]
    inside = np.zeros(len(queries), dtype=np.bool_)
    for began, ended in windows:
        inside |= (due >= began) & (due < ended)
    milliseconds = queries[inside, 2] * 1000
    if not len(milliseconds):
        return {"queries": 0}
    p50, p99 = np.percentile(milliseconds, [50, 99]).tolist()
    return {
        "seconds": round(sum(ended - began for began, ended in windows), 2),
        "queries": len(milliseconds),
        "failed": int(queries[inside, 3].sum()),
        "partial": int(queries[inside, 4].sum()),
        "p50_ms": round(p50, 2),
        "p99_ms": round(p99, 2),
        "max_ms": round(float(milliseconds.max()), 2),
        "client_late_p99_ms": round(float(np.percentile(queries[inside, 1], 99)) * 1000, 2),
        "client_late_max_ms": round(float(queries[inside, 1].max()) * 1000, 2),
    }
