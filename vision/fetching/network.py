"""Connections that go only to checked addresses and end by a deadline: the network backend under httpcore."""

from __future__ import annotations

import ssl
import threading
import time
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from typing import Any, Protocol, cast

import httpcore

from schemas.errors import RejectedError
from vision.fetching.policy import AddressRule
from vision.fetching.resolver import Resolver

_thread = threading.local()


class Turn(Protocol):
    """What a fetch may do beyond its policy, as its owner says while it runs; called by the fetching thread."""

    patience_s: float | None
    """When `late` is called; None: never."""

    def late(self) -> None:
        """The fetch has not ended within `patience_s`. Returns if it may use all its time; else raises, to end it."""

    def grow(self, n_bytes: int) -> None:
        """So many bytes more of the body are held in memory. May raise, to end the fetch."""


class _Deadline:
    def __init__(self, timeout_s: float, turn: Turn | None) -> None:
        now = time.monotonic()
        self._last = now + timeout_s
        self._turn = turn if turn is not None and turn.patience_s is not None and turn.patience_s < timeout_s else None
        self._ends_at = self._last if self._turn is None else now + (self._turn.patience_s or 0.0)

    def remaining_s(self) -> float:
        left = self._ends_at - time.monotonic()
        if left <= 0 and self._turn is not None:
            turn, self._turn, self._ends_at = self._turn, None, self._last
            turn.late()
            left = self._ends_at - time.monotonic()
        if left <= 0:
            raise httpcore.ReadTimeout("total time is over")
        return left


@contextmanager
def deadline(timeout_s: float, turn: Turn | None = None) -> Iterator[None]:
    """Everything this thread does on the network inside the block ends after `timeout_s` in all, or when `turn` says.

    A timeout per read would let a server that sends a byte a second hold a thread for hours.
    """
    _thread.deadline = _Deadline(timeout_s, turn)
    try:
        yield
    finally:
        del _thread.deadline


def remaining_s() -> float:
    """Time left of this thread's deadline, or of the patience with it: when that is over, ask again.

    Raises `httpcore.ReadTimeout` when there is none, and what `Turn.late` raises.
    """
    return cast(_Deadline, _thread.deadline).remaining_s()


class CheckedBackend(httpcore.NetworkBackend):
    """Resolves a name once, checks what it resolved to, and connects to exactly that.

    A second look-up at connection time (DNS rebinding) thus never happens. TLS
    still verifies the certificate against the name, which httpcore passes on.
    """

    def __init__(self, rule: AddressRule, resolver: Resolver) -> None:
        self._rule = rule
        self._resolver = resolver
        self._sockets = httpcore.SyncBackend()

    def connect_tcp(
        self,
        host: str,
        port: int,
        timeout: float | None = None,
        local_address: str | None = None,
        socket_options: Iterable[Any] | None = None,
    ) -> httpcore.NetworkStream:
        resolved = self._resolver.resolve(host, remaining_s())
        addresses = [address for address in resolved if self._rule.allows(address)]
        if not addresses:
            raise RejectedError(
                "address_not_allowed",
                f"{host} is {', '.join(resolved)}: not public; if it is meant, add it to fetch_allowed_networks",
            )
        for number, address in enumerate(addresses):
            share = remaining_s() / (len(addresses) - number)  # one dead address must not use up all the time
            try:
                return _DeadlineStream(self._sockets.connect_tcp(address, port, share, local_address, socket_options))
            except (httpcore.ConnectError, httpcore.ConnectTimeout):
                if number == len(addresses) - 1:
                    raise
        raise AssertionError("unreachable: the last address either connects or raises")


class _DeadlineStream(httpcore.NetworkStream):
    def __init__(self, stream: httpcore.NetworkStream) -> None:
        self._stream = stream

    def read(self, max_bytes: int, timeout: float | None = None) -> bytes:
        while True:  # a timeout may be that of the patience alone
            left_s = remaining_s()
            try:
                return self._stream.read(max_bytes, left_s)
            except httpcore.ReadTimeout:
                continue

    def write(self, buffer: bytes, timeout: float | None = None) -> None:
        self._stream.write(buffer, remaining_s())

    def close(self) -> None:
        self._stream.close()

    def start_tls(
        self, ssl_context: ssl.SSLContext, server_hostname: str | None = None, timeout: float | None = None
    ) -> httpcore.NetworkStream:
        return _DeadlineStream(self._stream.start_tls(ssl_context, server_hostname, remaining_s()))

    def get_extra_info(self, info: str) -> Any:
        return self._stream.get_extra_info(info)
