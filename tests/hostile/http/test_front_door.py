"""Hosts, methods and the documentation: what a browser's foreign page could make of them."""

from __future__ import annotations

import re
from collections.abc import AsyncIterator
from pathlib import Path

import httpx
import pytest

from serving.blender.http.front_door import AllowedHosts
from serving.searcher.service import SearcherService
from tests.hostile.http.raw import wire
from tests.support.serving.http_world import error, over, ready, serving

pytestmark = pytest.mark.anyio


@pytest.fixture
async def client(searcher: SearcherService, tmp_path: Path) -> AsyncIterator[httpx.AsyncClient]:
    (tmp_path / "index.html").write_text("<!doctype html><title>Vitrine</title>")
    hosts = AllowedHosts(("shop.example", "*.inside.example"))
    async with serving(over(searcher), page=tmp_path, hosts=hosts) as client:
        await ready(client)
        yield client


@pytest.mark.parametrize(
    "host",
    ["127.0.0.1", "127.0.0.1:8000", "[::1]:8000", "localhost", "LOCALHOST.:1", "192.0.2.7", "shop.example:443",
     "a.inside.example"],
)  # fmt: skip
async def test_our_own_names_are_answered(client: httpx.AsyncClient, host: str) -> None:
    assert (await client.get("/healthz", headers={"host": host})).status_code == 200


@pytest.mark.parametrize(
    "host", ["evil.example", "localhost.evil.example", "127.0.0.1.evil.example", "inside.example", "", "shop.example@x"]
)
async def test_name_that_somebody_resolves_to_us_is_refused_everywhere(client: httpx.AsyncClient, host: str) -> None:
    for path in ("/", "/v1/index", "/docs", "/healthz", "/v1/products/lamp/status"):
        assert error(await client.get(path, headers={"host": host})) == (421, "unknown_host")
    assert error(await client.post("/v1/search/vector", json={}, headers={"host": host})) == (421, "unknown_host")


async def test_request_names_exactly_one_host(client: httpx.AsyncClient) -> None:
    for hosts in (b"", b"Host: localhost\r\nHost: evil.example\r\n"):
        async with wire(client) as connection:
            await connection.send(b"GET /healthz HTTP/1.1\r\n" + hosts + b"\r\n")
            assert (await connection.answer())[0] == 400
    async with wire(client) as connection:
        await connection.send(b"GET /healthz HTTP/1.0\r\n\r\n")
        assert (await connection.answer())[0] == 200


@pytest.mark.parametrize(
    "path", ["/", "/healthz", "/readyz", "/v1/index", "/v1/products/lamp/status", "/v1/products/lamp/similar",
             "/v1/examples", "/docs", "/openapi.json", "/v1/nothing", "/v1/products/nobody/similar"],
)  # fmt: skip
async def test_head_is_a_get_without_its_body(client: httpx.AsyncClient, path: str) -> None:
    whole, head = await client.get(path), await client.head(path)
    assert (head.status_code, head.content) == (whole.status_code, b"")
    varying = {"date", "content-length"} if "took_ms" in whole.text else {"date"}
    assert {k: v for k, v in head.headers.items() if k not in varying} == {
        k: v for k, v in whole.headers.items() if k not in varying
    }
    assert int(head.headers["content-length"]) > 0
    assert (await client.get("/healthz")).status_code == 200  # the connection is in order


@pytest.mark.parametrize(
    ("method", "path", "allow"),
    [
        ("GET", "/v1/search/image", "POST"),
        ("HEAD", "/v1/search/vector", "POST"),
        ("DELETE", "/v1/search/vector", "POST"),
        ("POST", "/v1/index", "GET, HEAD"),
        ("PUT", "/v1/products/lamp/status", "GET, HEAD"),
        ("OPTIONS", "/v1/index", "GET, HEAD"),
        ("POST", "/", "GET, HEAD"),
        ("POST", "/docs", "GET, HEAD"),
    ],
)
async def test_wrong_method_is_told_the_right_ones(
    client: httpx.AsyncClient, method: str, path: str, allow: str
) -> None:
    answer = await client.request(method, path)
    assert (answer.status_code, answer.headers["allow"]) == (405, allow)


async def test_documentation_runs_no_script_and_loads_nothing(client: httpx.AsyncClient) -> None:
    page = await client.get("/docs")
    policy = page.headers["content-security-policy"]
    assert policy.startswith("default-src 'none'; style-src 'sha256-")
    assert "unsafe" not in policy
    assert not re.search(r"<script|<link|<img|src=|//(?!127\.0\.0\.1)", page.text)
    for path in (await client.get("/openapi.json")).json()["paths"]:
        assert path in page.text
    assert (await client.get("/redoc")).status_code == 404


async def test_no_answer_may_be_kept_or_read_elsewhere(client: httpx.AsyncClient) -> None:
    for path in ("/v1/index", "/v1/products/lamp/status", "/v1/nothing"):
        answer = await client.get(path, headers={"origin": "https://evil.example"})
        assert answer.headers["cache-control"] == "no-store"
        assert not [name for name in answer.headers if name.startswith("access-control-")]
        assert "server" not in answer.headers
