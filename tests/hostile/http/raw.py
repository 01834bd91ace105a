"""Bytes on a socket, as no HTTP client would send them."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import httpx

PATIENCE_S = 60.0
"""How long a test waits for what must happen; nothing is measured by it."""


class Wire:
    """One connection to the server of `client`."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.reader = reader
        self.writer = writer

    async def send(self, data: bytes) -> bool:
        """False when the server has closed the connection."""
        try:
            self.writer.write(data)
            await asyncio.wait_for(self.writer.drain(), PATIENCE_S)
        except ConnectionError:
            return False
        return True

    async def ended(self) -> bytes:
        """Everything until the server closes the connection."""
        try:
            return await asyncio.wait_for(self.reader.read(), PATIENCE_S)
        except ConnectionError:  # reset: closed as well, what was said before is lost
            return b""

    async def answer(self) -> tuple[int, dict[str, str], bytes]:
        """Status, headers in lower case, body."""
        head = (await asyncio.wait_for(self.reader.readuntil(b"\r\n\r\n"), PATIENCE_S)).decode("latin-1")
        first, *lines = head.split("\r\n")
        headers = {name.lower(): value.strip() for name, _, value in (line.partition(":") for line in lines if line)}
        body = await self.reader.readexactly(int(headers.get("content-length", "0")))
        return int(first.split()[1]), headers, body

    async def refusal(self) -> tuple[int, str]:
        """Status and reason of an answer in the error form, after which the connection ends."""
        status, headers, body = await self.answer()
        assert headers["connection"] == "close"
        assert await self.ended() == b""
        return status, json.loads(body)["error"]["reason"]


@asynccontextmanager
async def wire(client: httpx.AsyncClient) -> AsyncIterator[Wire]:
    reader, writer = await asyncio.open_connection(client.base_url.host, client.base_url.port)
    try:
        yield Wire(reader, writer)
    finally:
        writer.close()


def get(path: str = "/healthz", *headers: str) -> bytes:
    return "\r\n".join((f"GET {path} HTTP/1.1", "Host: 127.0.0.1", *headers, "", "")).encode()


def post(path: str, *headers: str) -> bytes:
    return "\r\n".join((f"POST {path} HTTP/1.1", "Host: 127.0.0.1", *headers, "", "")).encode()


PHOTO = "/v1/search/image"
PART = b'--b\r\nContent-Disposition: form-data; name="image"; filename="q"\r\n\r\n'


def photo_head(length: int) -> bytes:
    return post(PHOTO, "Content-Type: multipart/form-data; boundary=b", f"Content-Length: {length}")
