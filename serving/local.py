"""`SearchBackend` in the same process: the searcher's own methods, on a few threads."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
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
from serving.backend import OVERDUE

_Result = TypeVar("_Result")


class Searcher(Protocol):
    """What answers on any thread: a `SearcherService`, or a `SearcherHost` with several of them."""

    @property
    def name(self) -> str: ...

    def search(self, request: SearchRequest) -> SearchResponse: ...

    def product(self, request: ProductRequest) -> ProductResponse: ...

    def details(self, request: DetailsRequest) -> DetailsResponse: ...

    def status(self, request: StatusRequest | None = None) -> StatusResponse: ...


class LocalBackend:
    """A searcher of this process. A query runs on one of `threads` threads; faiss lets go of the GIL meanwhile."""

    def __init__(self, searcher: Searcher, threads: int = 2) -> None:
        self._searcher = searcher
        self._executor = ThreadPoolExecutor(threads, thread_name_prefix="search")

    async def search(self, request: SearchRequest, timeout_s: float) -> SearchResponse:
        return await self._run(lambda: self._searcher.search(request), timeout_s)

    async def product(self, request: ProductRequest, timeout_s: float) -> ProductResponse:
        return await self._run(lambda: self._searcher.product(request), timeout_s)

    async def details(self, request: DetailsRequest, timeout_s: float) -> DetailsResponse:
        return await self._run(lambda: self._searcher.details(request), timeout_s)

    async def status(self, timeout_s: float, request: StatusRequest | None = None) -> StatusResponse:
        return await self._run(lambda: self._searcher.status(request), timeout_s)

    async def close(self) -> None:
        self._executor.shutdown(wait=False, cancel_futures=True)

    async def _run(self, work: Callable[[], _Result], timeout_s: float) -> _Result:
        future = asyncio.get_running_loop().run_in_executor(self._executor, work)
        try:
            async with asyncio.timeout(timeout_s):
                return await future
        except TimeoutError as error:
            raise TransientError(OVERDUE, f"{self._searcher.name} did not answer in time") from error
