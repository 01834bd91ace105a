"""The two clients: what `calls.py` builds, sent and waited for by a thread, or by asyncio.

A method is a call's function with another result, so that each is written once: its arguments, its types and its
documentation are those in `calls.py`. What the two do not share is how one try is sent, and how a wait is spent.
"""

from __future__ import annotations

import asyncio
import inspect
import ssl
import time
from collections.abc import AsyncIterator, Callable, Coroutine, Iterator
from functools import wraps
from typing import Any, Concatenate, ParamSpec, Self, TypeVar

import httpx

from vitrine_client import calls
from vitrine_client.answers import Answer
from vitrine_client.calls import Call
from vitrine_client.patience import Patience, Tries
from vitrine_client.replies import Outcome, Reply

DEFAULT_URL = "http://127.0.0.1:8000"

P = ParamSpec("P")
T = TypeVar("T")


def _method(build: Callable[P, Call[T]]) -> Callable[Concatenate[Vitrine, P], T]:
    @wraps(build)
    def method(self: Vitrine, /, *arguments: P.args, **named: P.kwargs) -> T:
        return self.send(build(*arguments, **named))

    return _signed(method, build)


def _coroutine(build: Callable[P, Call[T]]) -> Callable[Concatenate[AsyncVitrine, P], Coroutine[Any, Any, T]]:
    @wraps(build)
    async def method(self: AsyncVitrine, /, *arguments: P.args, **named: P.kwargs) -> T:
        return await self.send(build(*arguments, **named))

    return _signed(method, build)


def _pages(build: Callable[P, Call[Answer]]) -> Callable[Concatenate[Vitrine, P], Iterator[Answer]]:
    def pages(self: Vitrine, /, *arguments: P.args, **named: P.kwargs) -> Iterator[Answer]:
        """Answers as `search` gives them, page after page, each asked for when it is wanted: stop where you like."""
        call: Call[Answer] | None = build(*arguments, **named)
        while call is not None:
            answer = self.send(call)
            yield answer
            call = call.following(answer.cursor)

    return _signed(pages, build)


def _async_pages(build: Callable[P, Call[Answer]]) -> Callable[Concatenate[AsyncVitrine, P], AsyncIterator[Answer]]:
    async def pages(self: AsyncVitrine, /, *arguments: P.args, **named: P.kwargs) -> AsyncIterator[Answer]:
        """Answers as `search` gives them, page after page, each asked for when it is wanted: stop where you like."""
        call: Call[Answer] | None = build(*arguments, **named)
        while call is not None:
            answer = await self.send(call)
            yield answer
            call = call.following(answer.cursor)

    return _signed(pages, build)


def _signed(method: Callable[P, T], build: Callable[..., Any]) -> Callable[P, T]:
    """`method` with the signature of `build` after `self` and every option by its name, as `help` shows it."""
    own = inspect.Parameter("self", inspect.Parameter.POSITIONAL_ONLY)
    method.__signature__ = inspect.Signature([own, *calls.parameters_of_call(build)])  # type: ignore[attr-defined]
    return method


class Vitrine:
    """A client for threads, any number of them; a context manager, which closes its connections.

    `key`: an API key, sent as a bearer token. `timeout_s`, `retries`: see `Patience`. `verify`: False trusts any
    certificate, a context those that it does. `trust_env`: takes proxies from the environment. `transport`: what
    sends instead of the network, for tests. Methods raise `VitrineClientError`, drawn in `errors.py`.
    """

    def __init__(
        self,
        base_url: str = DEFAULT_URL,
        *,
        key: str | None = None,
        timeout_s: float = 30.0,
        retries: int = 2,
        verify: ssl.SSLContext | bool = True,
        trust_env: bool = True,
        transport: httpx.BaseTransport | None = None,
    ) -> None:
        self._patience = Patience(timeout_s, retries)
        self._http = httpx.Client(**_options(base_url, key, verify, trust_env), transport=transport)

    search = _method(calls.search)
    search_image = _method(calls.search_image)
    search_items = _method(calls.search_items)
    search_vector = _method(calls.search_vector)
    search_text = _method(calls.search_text)
    similar = _method(calls.similar)
    batch = _method(calls.batch)
    suggest = _method(calls.suggest)
    pages = _pages(calls.search)
    status = _method(calls.status)
    erase = _method(calls.erase)
    click = _method(calls.click)
    index = _method(calls.index)
    ready = _method(calls.ready)

    def send(self, call: Call[T]) -> T:
        """The answer to a call of `calls.py`, asked for as often as there is patience."""
        tries = Tries(self._patience, call.also)
        while True:
            outcome = self._try(call, tries)
            wait_s = tries.wait_s(outcome)
            if wait_s is None:
                return call.answer(outcome)
            time.sleep(wait_s)

    def _try(self, call: Call[Any], tries: Tries) -> Outcome:
        request = call.request(self._http.build_request, tries.timeout())
        try:
            response = self._http.send(request, stream=True)
            try:
                body = b"".join([tries.on_time(chunk) for chunk in response.iter_bytes()])
            finally:
                response.close()
        except httpx.RequestError as error:
            return error
        return Reply(response.status_code, response.headers, body)

    def close(self) -> None:
        self._http.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_raised: object) -> None:
        self.close()


class AsyncVitrine:
    """A client for asyncio: the methods and arguments of `Vitrine`, as coroutines; `pages` is for `async for`.

    Photos given as a path or a file are read when the call is made, on the event loop.
    """

    def __init__(
        self,
        base_url: str = DEFAULT_URL,
        *,
        key: str | None = None,
        timeout_s: float = 30.0,
        retries: int = 2,
        verify: ssl.SSLContext | bool = True,
        trust_env: bool = True,
        transport: httpx.AsyncBaseTransport | None = None,
    ) -> None:
        self._patience = Patience(timeout_s, retries)
        self._http = httpx.AsyncClient(**_options(base_url, key, verify, trust_env), transport=transport)

    search = _coroutine(calls.search)
    search_image = _coroutine(calls.search_image)
    search_items = _coroutine(calls.search_items)
    search_vector = _coroutine(calls.search_vector)
    search_text = _coroutine(calls.search_text)
    similar = _coroutine(calls.similar)
    batch = _coroutine(calls.batch)
    suggest = _coroutine(calls.suggest)
    pages = _async_pages(calls.search)
    status = _coroutine(calls.status)
    erase = _coroutine(calls.erase)
    click = _coroutine(calls.click)
    index = _coroutine(calls.index)
    ready = _coroutine(calls.ready)

    async def send(self, call: Call[T]) -> T:
        """As `Vitrine.send`."""
        tries = Tries(self._patience, call.also)
        while True:
            outcome = await self._try(call, tries)
            wait_s = tries.wait_s(outcome)
            if wait_s is None:
                return call.answer(outcome)
            await asyncio.sleep(wait_s)

    async def _try(self, call: Call[Any], tries: Tries) -> Outcome:
        request = call.request(self._http.build_request, tries.timeout())
        try:
            response = await self._http.send(request, stream=True)
            try:
                body = b"".join([tries.on_time(chunk) async for chunk in response.aiter_bytes()])
            finally:
                await response.aclose()
        except httpx.RequestError as error:
            return error
        return Reply(response.status_code, response.headers, body)

    async def aclose(self) -> None:
        await self._http.aclose()

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, *_raised: object) -> None:
        await self.aclose()


def _options(base_url: str, key: str | None, verify: ssl.SSLContext | bool, trust_env: bool) -> dict[str, Any]:
    """Of either client of httpx."""
    if not base_url.startswith(("http://", "https://")):
        raise ValueError(f"base_url must begin with http:// or https://, found {base_url!r}")
    headers = {"User-Agent": "vitrine-client", "Accept": "application/json"}
    if key is not None:
        if not key.isascii() or not key.isprintable():
            raise ValueError("key must be printable ASCII, as vitrine keys add prints it")
        headers["Authorization"] = f"Bearer {key}"
    return {"base_url": base_url, "headers": headers, "verify": verify, "trust_env": trust_env}
