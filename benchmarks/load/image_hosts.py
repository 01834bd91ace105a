"""Image hosts on loopback addresses that behave well and badly: what the fetching is measured and tested against."""

from __future__ import annotations

import asyncio
import contextlib
import io
import threading
from collections import Counter
from collections.abc import Callable, Coroutine

from PIL import Image

Behaviour = Callable[["ImageHosts", str, asyncio.StreamWriter], Coroutine[None, None, None]]
"""Answers one request for a path; what it leaves open stays open until the client closes."""


class ImageHosts:
    """Servers in one thread, each with an address, a port and a behaviour of its own. Closed by `close`."""

    def __init__(self) -> None:
        self.requests: Counter[str] = Counter()
        self.connections: Counter[str] = Counter()
        self.most_connections: Counter[str] = Counter()
        self._picture = _picture()
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._loop.run_forever, name="image-hosts", daemon=True)
        self._thread.start()
        self._servers: list[asyncio.Server] = []

    def add(self, behaviour: Behaviour, address: str = "127.0.0.1", port: int = 0) -> str:
        """Starts a host and gives its `address:port`."""

        async def start() -> str:
            server = await asyncio.start_server(lambda r, w: self._serve(behaviour, r, w), address, port, backlog=512)
            self._servers.append(server)
            host, bound = server.sockets[0].getsockname()[:2]
            return f"{host}:{bound}"

        return asyncio.run_coroutine_threadsafe(start(), self._loop).result(60)

    async def _serve(self, behaviour: Behaviour, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        address = str(writer.get_extra_info("sockname")[0])
        self.connections[address] += 1
        self.most_connections[address] = max(self.most_connections[address], self.connections[address])
        with contextlib.suppress(OSError, asyncio.IncompleteReadError, asyncio.LimitOverrunError):
            try:
                while True:
                    head = await reader.readuntil(b"\r\n\r\n")
                    path = head.split(b" ", 2)[1].decode()
                    self.requests[path] += 1
                    answering = asyncio.ensure_future(behaviour(self, path, writer))
                    while not answering.done() and not reader.at_eof():
                        await asyncio.wait((answering,), timeout=0.1)
                    if not answering.done():
                        answering.cancel()  # the client is gone
                        return
                    await answering
            finally:
                self.connections[address] -= 1
                writer.close()

    def body(self, path: str) -> bytes:
        """A picture of its own for every path: the same one, and the path behind its end."""
        return self._picture + path.encode()

    def close(self) -> None:
        async def stop() -> None:
            for server in self._servers:
                server.close()
            for task in asyncio.all_tasks() - {asyncio.current_task()}:
                task.cancel()
            await asyncio.sleep(0)

        asyncio.run_coroutine_threadsafe(stop(), self._loop).result(60)
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join(60)


async def picture(hosts: ImageHosts, path: str, writer: asyncio.StreamWriter) -> None:
    body = hosts.body(path)
    writer.write(b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n" % len(body) + body)
    await writer.drain()


async def silence(hosts: ImageHosts, path: str, writer: asyncio.StreamWriter) -> None:
    """Takes the request and says nothing."""
    await asyncio.sleep(3600)


def after(seconds: float) -> Behaviour:
    """A picture, but late."""

    async def slow(hosts: ImageHosts, path: str, writer: asyncio.StreamWriter) -> None:
        await asyncio.sleep(seconds)
        await picture(hosts, path, writer)

    return slow


async def drip(hosts: ImageHosts, path: str, writer: asyncio.StreamWriter) -> None:
    """A byte of a picture at a time."""
    writer.write(b"HTTP/1.1 200 OK\r\nContent-Length: 100000\r\n\r\n")
    while True:
        writer.write(b"x")
        await writer.drain()
        await asyncio.sleep(0.05)


async def dripped_headers(hosts: ImageHosts, path: str, writer: asyncio.StreamWriter) -> None:
    writer.write(b"HTTP/1.1 200 OK\r\n")
    while True:
        writer.write(b"X-More: x\r\n")
        await writer.drain()
        await asyncio.sleep(0.05)


async def endless_headers(hosts: ImageHosts, path: str, writer: asyncio.StreamWriter) -> None:
    writer.write(b"HTTP/1.1 200 OK\r\n")
    while True:
        writer.write(b"X-More: xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx\r\n" * 100)
        await writer.drain()


async def endless_body(hosts: ImageHosts, path: str, writer: asyncio.StreamWriter) -> None:
    writer.write(b"HTTP/1.1 200 OK\r\n\r\n")
    while True:
        writer.write(b"x" * 65536)
        await writer.drain()


async def endless_redirects(hosts: ImageHosts, path: str, writer: asyncio.StreamWriter) -> None:
    writer.write(b"HTTP/1.1 302 Found\r\nLocation: %sx\r\nContent-Length: 0\r\n\r\n" % path.encode())
    await writer.drain()


def _picture() -> bytes:
    out = io.BytesIO()
    Image.effect_noise((96, 96), 60).convert("RGB").save(out, "JPEG", quality=85)
    return out.getvalue()
