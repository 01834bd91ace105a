"""`SearchBackend` in the same process: the searcher's own methods, on the event loop or on a few threads."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from math import inf
from typing import Protocol, TypeVar

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
from serving.backend import OVERDUE, is_plain

_Result = TypeVar("_Result")

SHORT_S = 0.005
"""A search that takes no more of a processor is done on the event loop: handing it to a thread would gain nothing."""
_NEWEST = 0.1
"""Weight of the latest search in what searches are thought to take."""


class Searcher(Protocol):
    """What answers on any thread: a `SearcherService`, or a `SearcherHost` with several of them."""

    @property
    def name(self) -> str: ...

    def search(self, request: SearchRequest) -> SearchResponse: ...

    def product(self, request: ProductRequest) -> ProductResponse: ...

    def details(self, request: DetailsRequest) -> DetailsResponse: ...

    def status(self, request: StatusRequest | None = None) -> StatusResponse: ...


class LocalBackend:
    """A searcher of this process.

    Searches that the ones before say will be `SHORT_S` long at most are done
    on the event loop, all else on one of `threads` threads; faiss lets go of
    the GIL meanwhile.
    """

    def __init__(self, searcher: Searcher, threads: int = 2) -> None:
        self._searcher = searcher
        self._executor = ThreadPoolExecutor(threads, thread_name_prefix="search")
        self._query_s = {True: inf, False: inf}
        """What a search takes, of those for vectors alone, and of all others."""

    async def search(self, request: SearchRequest, timeout_s: float) -> SearchResponse:
        plain = is_plain(request)
        if _questions(request) * self._query_s[plain] <= SHORT_S:
            return self._timed_search(request, plain)
        return await self._run(lambda: self._timed_search(request, plain), timeout_s)

    async def product(self, request: ProductRequest, timeout_s: float) -> ProductResponse:
        return await self._run(lambda: self._searcher.product(request), timeout_s)

    async def details(self, request: DetailsRequest, timeout_s: float) -> DetailsResponse:
        return await self._run(lambda: self._searcher.details(request), timeout_s)

    async def status(self, timeout_s: float, request: StatusRequest | None = None) -> StatusResponse:
        return await self._run(lambda: self._searcher.status(request), timeout_s)

    async def close(self) -> None:
        self._executor.shutdown(wait=False, cancel_futures=True)

    def _timed_search(self, request: SearchRequest, plain: bool) -> SearchResponse:
        began = time.thread_time()  # of the processor: on a busy machine all else takes longer as well
        answer = self._searcher.search(request)
        took_s = (time.thread_time() - began) / _questions(request)
        before_s = self._query_s[plain]
        self._query_s[plain] = took_s if before_s == inf else before_s + _NEWEST * (took_s - before_s)
        return answer

    async def _run(self, work: Callable[[], _Result], timeout_s: float) -> _Result:
        future = asyncio.get_running_loop().run_in_executor(self._executor, work)
        try:
            async with asyncio.timeout(timeout_s):
                return await future
        except TimeoutError as error:
            raise TransientError(OVERDUE, f"{self._searcher.name} did not answer in time") from error


def _questions(request: SearchRequest) -> int:
    return max(1, request.count, len(request.questions))
