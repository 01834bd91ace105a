"""Connections that send little, late, too much or nothing, and that do not take their answers."""

from __future__ import annotations

import asyncio
import socket
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager

import httpx
import pytest
from starlette.types import Receive, Scope, Send

from serving.blender.http.connection.protocol import MOST_PIPELINED, HttpLimits
from serving.blender.http.connection.server import http_server
from serving.searcher.service import SearcherService
from tests.hostile.http.raw import PART, PATIENCE_S, get, photo_head, post, wire
from tests.support.serving.http_world import ids, over, picture, post_vector, ready, serving

pytestmark = pytest.mark.anyio

HASTY = HttpLimits(header_timeout_s=0.3, body_timeout_s=0.3, idle_timeout_s=0.3, max_header_bytes=4096)
PATIENT = HttpLimits(max_connections=4)


@pytest.fixture
async def hasty(searcher: SearcherService) -> AsyncIterator[httpx.AsyncClient]:
    async with serving(over(searcher), limits=HASTY) as client:
        await ready(client)
        yield client


async def test_connection_that_says_nothing_is_closed(hasty: httpx.AsyncClient) -> None:
    async with wire(hasty) as connection:
        assert await connection.ended() == b""


async def test_connection_that_is_done_is_closed(hasty: httpx.AsyncClient) -> None:
    async with wire(hasty) as connection:
        await connection.send(get())
        assert (await connection.answer())[0] == 200
        assert await connection.ended() == b""


async def test_half_of_a_head_is_told_and_closed(hasty: httpx.AsyncClient) -> None:
    async with wire(hasty) as connection:
        await connection.send(b"GET /healthz HTTP/1.1\r\nHost: 127")
        assert await connection.refusal() == (408, "header_timeout")


async def test_head_in_drops_is_closed_all_the_same(hasty: httpx.AsyncClient) -> None:
    async with wire(hasty) as connection:
        await connection.send(get()[:-2])
        for drop in range(10_000):
            if not await connection.send(b"X-%d: y\r\n" % drop) or connection.reader.at_eof():
                break
            await asyncio.sleep(0.02)
        else:
            pytest.fail("ten thousand headers were taken")


async def test_second_request_has_the_same_time_for_its_head(hasty: httpx.AsyncClient) -> None:
    async with wire(hasty) as connection:
        await connection.send(get())
        assert (await connection.answer())[0] == 200
        await connection.send(b"GET /healthz HTT")
        assert await connection.refusal() == (408, "header_timeout")


async def test_slow_body_is_told_and_closed_while_others_search(hasty: httpx.AsyncClient) -> None:
    async with AsyncExitStack() as stack:
        slow = [await stack.enter_async_context(wire(hasty)) for _ in range(20)]
        for connection in slow:
            await connection.send(photo_head(90_000) + PART + bytes(10_000))
        assert ids(await post_vector(hasty))[0] == "lamp"
        for connection in slow:
            assert await connection.refusal() == (408, "body_timeout")
    told = (await hasty.get("/metrics")).text
    assert 'vitrine_blender_connections_refused_total{reason="body_timeout"} 20.0' in told


async def test_endless_header_is_cut_off_at_the_limit(hasty: httpx.AsyncClient) -> None:
    async with wire(hasty) as connection:
        await connection.send(get()[:-2] + b"X-Endless: ")
        sent = 0
        while sent < 300_000_000 and await connection.send(bytes(65_536).replace(b"\0", b"a")):
            sent += 65_536
        assert sent < 50_000_000  # what buffers of two sockets hold


@pytest.mark.parametrize(
    "head",
    [
        get("/healthz", *(f"X-{n}: y" for n in range(1000))),
        get("/healthz", "X: " + "y" * 5000),
        get("/" + "y" * 5000),
    ],
    ids=["many headers", "long header", "long path"],
)
async def test_large_head_is_refused(hasty: httpx.AsyncClient, head: bytes) -> None:
    async with wire(hasty) as connection:
        await connection.send(head)
        assert await connection.refusal() == (431, "headers_too_large")
    assert (await hasty.get("/healthz")).status_code == 200


@pytest.mark.parametrize("kind", ["extensions", "trailers"])
async def test_endless_framing_of_a_chunked_body_is_cut_off(hasty: httpx.AsyncClient, kind: str) -> None:
    chunked = post("/v1/search/vector", "Content-Type: application/json", "Transfer-Encoding: chunked")
    async with wire(hasty) as connection:
        await connection.send(chunked + (b"1;x=" if kind == "extensions" else b"0\r\nX: "))
        sent = 0
        while sent < 300_000_000 and await connection.send(b"a" * 65_536):
            sent += 65_536
        assert sent < 50_000_000


async def test_small_chunks_are_a_body_like_any_other(searcher: SearcherService) -> None:
    async with serving(over(searcher)) as client:
        await ready(client)

        async def drops() -> AsyncIterator[bytes]:
            for byte in PART + picture(1) + b"\r\n--b--\r\n":
                yield bytes([byte])

        headers = {"content-type": "multipart/form-data; boundary=b"}
        assert ids(await client.post("/v1/search/image", content=drops(), headers=headers))[0] == "photo"


async def test_idle_connections_give_way_to_new_ones(searcher: SearcherService) -> None:
    async with serving(over(searcher), limits=PATIENT) as client, AsyncExitStack() as stack:
        idle = [await stack.enter_async_context(wire(client)) for _ in range(4)]
        for connection in idle[:2]:
            await connection.send(b"GET /hea")  # half a head is idle, too
        async with wire(client) as new:
            await new.send(get())
            assert (await new.answer())[0] == 200
        assert await asyncio.wait_for(asyncio.gather(*(each.ended() for each in idle[2:3])), PATIENCE_S) == [b""]


async def test_connections_beyond_the_limit_are_told_so(searcher: SearcherService) -> None:
    async with serving(over(searcher), limits=PATIENT) as client, AsyncExitStack() as stack:
        busy = [await stack.enter_async_context(wire(client)) for _ in range(4)]
        for connection in busy:
            await connection.send(photo_head(90_000) + PART)
        await asyncio.sleep(0.1)
        async with wire(client) as new:
            status, headers, _ = await new.answer()
        assert (status, headers["retry-after"]) == (503, "1")
        busy[0].writer.close()
        while (await _status(client)) != 200:
            await asyncio.sleep(0.02)


async def _status(client: httpx.AsyncClient) -> int:
    async with wire(client) as connection:
        await connection.send(get())
        return (await connection.answer())[0]


async def test_pipelined_requests_are_answered_in_order_and_bounded(hasty: httpx.AsyncClient) -> None:
    async with wire(hasty) as connection:
        await connection.send(get("/healthz") + get("/v1/nothing") + get("/healthz"))
        assert [(await connection.answer())[0] for _ in range(3)] == [200, 404, 200]
    async with wire(hasty) as connection:
        await connection.send(get() * (MOST_PIPELINED * 100))
        answered = (await connection.ended()).count(b'{"status":"ok"}')
        assert answered <= MOST_PIPELINED + 1


@pytest.mark.parametrize(
    "request_",
    [b"\x16\x03\x01\x02\x00", b"GET\r\n\r\n", b"GET / HTTP/9.9\r\n\r\n", b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n",
     b"POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 5\r\nContent-Length: 6\r\n\r\nabcdef",
     b"POST / HTTP/1.1\r\nHost: x\r\nContent-Length: -1\r\n\r\n", b"CONNECT x:1 HTTP/1.1\r\nHost: x\r\n\r\n"],
)  # fmt: skip
async def test_what_is_no_http_is_refused_in_the_error_form(hasty: httpx.AsyncClient, request_: bytes) -> None:
    async with wire(hasty) as connection:
        await connection.send(request_)
        assert await connection.refusal() == (400, "malformed_request")
    assert (await hasty.get("/healthz")).status_code == 200


@asynccontextmanager
async def _large_answers(size: int, limits: HttpLimits) -> AsyncIterator[tuple[str, int]]:
    async def app(scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "http":
            headers = [(b"content-length", b"%d" % size)]
            await send({"type": "http.response.start", "status": 200, "headers": headers})
            await send({"type": "http.response.body", "body": bytes(size)})

    server = http_server(app, limits)
    with socket.create_server(("127.0.0.1", 0)) as listener:
        running = asyncio.create_task(server.serve(sockets=[listener]))
        yield listener.getsockname()
        server.should_exit = True
        await running


async def test_answer_that_is_not_taken_is_cut_off() -> None:
    size = 64_000_000
    async with _large_answers(size, HASTY) as (host, port):
        reader, writer = await asyncio.open_connection(host, port, limit=1024)
        writer.write(get())
        await asyncio.sleep(2)  # several times what a client has for it
        received = 0
        try:
            while part := await asyncio.wait_for(reader.read(1 << 20), PATIENCE_S):
                received += len(part)
        except ConnectionError:
            pass
        writer.close()
        assert received < size


async def test_answer_that_is_taken_slowly_arrives() -> None:
    size = 40_000_000
    # The kernel's buffers let it flow in gushes, up to a second apart.
    async with _large_answers(size, HttpLimits(body_timeout_s=2.0, idle_timeout_s=0.1)) as (host, port):
        reader, writer = await asyncio.open_connection(host, port)
        writer.write(get("/healthz", "Connection: close"))
        received = 0
        while part := await asyncio.wait_for(reader.read(1 << 20), PATIENCE_S):
            received += len(part)
            await asyncio.sleep(0.02)
        writer.close()
        assert received > size
