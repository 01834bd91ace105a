"""Connections that go only to checked addresses and end by a deadline: the network backend under httpcore."""

from __future__ import annotations

import queue
import socket
import ssl
import threading
import time
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from typing import Any

import httpcore

from schemas.errors import RejectedError, TransientError
from vision.fetch_policy import AddressRule

_thread = threading.local()


@contextmanager
def deadline(timeout_s: float) -> Iterator[None]:
    """Everything this thread does on the network inside the block ends after `timeout_s` in all.

    A timeout per read would let a server that sends a byte a second hold a thread for hours.
    """
    _thread.ends_at = time.monotonic() + timeout_s
    try:
        yield
    finally:
        del _thread.ends_at


def remaining_s() -> float:
    """Time left of this thread's deadline. Raises `httpcore.ReadTimeout` when there is none."""
    left = float(_thread.ends_at - time.monotonic())
    if left <= 0:
        raise httpcore.ReadTimeout("total time is over")
    return left


class CheckedBackend(httpcore.NetworkBackend):
    """Resolves a name once, checks what it resolved to, and connects to exactly that.

    A second look-up at connection time (DNS rebinding) thus never happens. TLS
    still verifies the certificate against the name, which httpcore passes on.
    """

    def __init__(self, rule: AddressRule) -> None:
        self._rule = rule
        self._sockets = httpcore.SyncBackend()

    def connect_tcp(
        self,
        host: str,
        port: int,
        timeout: float | None = None,
        local_address: str | None = None,
        socket_options: Iterable[Any] | None = None,
    ) -> httpcore.NetworkStream:
        resolved = _resolve(host, port, remaining_s())
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
        return self._stream.read(max_bytes, remaining_s())

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


def _resolve(host: str, port: int, timeout_s: float) -> list[str]:
    """All addresses of `host`, in the system's order. `getaddrinfo` knows no timeout, so it gets a thread."""
    answer: queue.SimpleQueue[Callable[[], list[str]]] = queue.SimpleQueue()

    def look_up() -> None:
        try:
            found = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)
        except (OSError, UnicodeError) as error:
            answer.put(_raiser(TransientError("dns", f"{host} does not resolve: {error}")))
        else:
            answer.put(lambda: list(dict.fromkeys(str(entry[4][0]) for entry in found)))

    threading.Thread(target=look_up, name=f"resolve-{host}", daemon=True).start()
    try:
        return answer.get(timeout=timeout_s)()
    except queue.Empty:
        raise TransientError("dns", f"{host} did not resolve within the fetch's time") from None


def _raiser(error: Exception) -> Callable[[], list[str]]:
    def raise_it() -> list[str]:
        raise error

    return raise_it
