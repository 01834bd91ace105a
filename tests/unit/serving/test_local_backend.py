"""Where a search runs that needs no wire: short ones where they are asked for, others beside the event loop."""

from __future__ import annotations

import asyncio
import threading
import time

import pytest

from schemas.errors import TransientError
from schemas.search_pb2 import (
    DetailsRequest,
    DetailsResponse,
    ProductRequest,
    ProductResponse,
    SearchRequest,
    SearchResponse,
    StatusRequest,
    StatusResponse,
)
from serving.local import SHORT_S, LocalBackend

pytestmark = pytest.mark.anyio

HERE = threading.get_ident


class Timed:
    """A searcher that takes `query_s` of a processor for each query, and remembers on which thread."""

    name = "timed"

    def __init__(self, query_s: float) -> None:
        self.query_s = query_s
        self.threads: list[int] = []

    def search(self, request: SearchRequest) -> SearchResponse:
        self.threads.append(threading.get_ident())
        until = time.thread_time() + self.query_s * request.count
        while time.thread_time() < until:
            pass
        return SearchResponse()

    def product(self, request: ProductRequest) -> ProductResponse:
        return ProductResponse()

    def details(self, request: DetailsRequest) -> DetailsResponse:
        return DetailsResponse()

    def status(self, request: StatusRequest | None = None) -> StatusResponse:
        return StatusResponse()


async def ask(backend: LocalBackend, times: int = 1, count: int = 1, timeout_s: float = 30.0) -> None:
    for _ in range(times):
        await backend.search(SearchRequest(count=count), timeout_s)


async def test_short_searches_stay_on_the_loop_once_they_are_known_to_be_short() -> None:
    searcher = Timed(0.0)
    backend = LocalBackend(searcher)
    await ask(backend, 3)
    assert [thread == HERE() for thread in searcher.threads] == [False, True, True]
    await backend.close()


async def test_many_short_queries_in_one_call_are_a_long_search() -> None:
    searcher = Timed(SHORT_S / 20)
    backend = LocalBackend(searcher)
    await ask(backend)
    await ask(backend, count=2)
    await ask(backend, count=200)
    assert [thread == HERE() for thread in searcher.threads] == [False, True, False]
    await backend.close()


async def test_long_searches_leave_the_loop_free_and_end_at_their_deadline() -> None:
    searcher = Timed(0.2)
    backend = LocalBackend(searcher)
    await ask(backend)
    turns = 0

    async def turn() -> None:
        nonlocal turns
        while True:
            turns += 1
            await asyncio.sleep(0.001)

    turning = asyncio.create_task(turn())
    await ask(backend)
    assert turns > 5
    turning.cancel()
    with pytest.raises(TransientError, match="overdue"):
        await ask(backend, timeout_s=0.01)
    assert HERE() not in searcher.threads
    await backend.close()


async def test_searches_that_have_become_long_go_to_the_threads_and_come_back() -> None:
    searcher = Timed(0.0)
    backend = LocalBackend(searcher)
    await ask(backend, 2)
    searcher.query_s = 20 * SHORT_S
    await ask(backend, 2)
    assert [thread == HERE() for thread in searcher.threads] == [False, True, True, False]
    searcher.query_s = 0.0
    await ask(backend, 90)
    assert searcher.threads[-1] == HERE()
    await backend.close()
