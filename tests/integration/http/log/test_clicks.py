"""Clicks over HTTP, and the search log where it is off or Kafka is away: what is refused, and what goes on."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from typing import Any

import httpx
import pytest

from tests.support.serving.http_world import error, over, ready, serving
from tests.support.serving.logging_world import ask_every_way, counted, logging_blender
from tests.support.serving.shop import FIELDS, PROFILES, shop

pytestmark = pytest.mark.anyio

NOWHERE = "127.0.0.1:1"
SEARCH_ID = "0f" * 16


async def test_off_nothing_of_it_is_anywhere() -> None:
    async with serving(over(*shop()), fields=FIELDS, profiles=PROFILES) as client:
        await ready(client)
        for answer in await ask_every_way(client):
            assert answer.status_code == 200, answer.text
            assert "search_id" not in answer.json()
        refused = await client.post("/v1/clicks", json=[])
        assert error(refused) == (404, "search_log_off")
        assert "VITRINE_SEARCH_LOG" in refused.text


async def test_searches_go_on_without_kafka_and_what_is_lost_iscounted() -> None:
    async with logging_blender(NOWHERE, wait_s=0.2) as client:
        answers = await ask_every_way(client)
        assert all(len(answer.json()["search_id"]) == 32 for answer in answers)
        answer = await client.post("/v1/clicks", json={"search_id": SEARCH_ID, "product_id": "p", "position": 1})
        assert error(answer) == (503, "kafka_unavailable")
        assert "is not in the log" in answer.text
        for _ in range(100):
            await client.get("/v1/search/text?q=boot")
            lost = counted((await client.get("/metrics")).text, "vitrine_blender_unlogged_searches_total")
            if lost >= len(answers):
                break
            await asyncio.sleep(0.02)
        assert lost >= len(answers)


async def test_searches_are_counted_by_kind_with_and_without_a_log() -> None:
    async with serving(over(*shop()), fields=FIELDS, profiles=PROFILES) as client:
        await ready(client)
        await ask_every_way(client)
        await client.get("/v1/search/text?q=zebra zzz")
        text = (await client.get("/metrics")).text
        assert counted(text, 'vitrine_blender_searches_total{kind="photo+words+filter"}') == 1
        assert counted(text, 'vitrine_blender_searches_total{kind="vector"}') == 2
        assert counted(text, 'vitrine_blender_searches_total{kind="words+product"}') == 1
        assert counted(text, "vitrine_blender_empty_answers_total") >= 1
        assert "zebra" not in text


CLICK: dict[str, Any] = {"search_id": SEARCH_ID, "product_id": "p5", "position": 1}


@pytest.mark.parametrize(
    ("change", "field"),
    [
        ({"kind": "like"}, "kind"),
        ({"position": -1}, "position"),
        ({"position": 0}, "position"),
        ({"position": 10_001}, "position"),
        ({"position": "1"}, "position"),
        ({"position": 1.5}, "position"),
        ({"product_id": ""}, "product_id"),
        ({"product_id": "x" * 513}, "product_id"),
        ({"product_id": "ü" * 300}, "product_id"),
        ({"search_id": "x"}, "search_id"),
        ({"search_id": SEARCH_ID.upper()}, "search_id"),
        ({"search_id": SEARCH_ID + "\n"}, "search_id"),
        ({"search_id": SEARCH_ID * 9999}, "search_id"),
        ({"address": "127.0.0.1"}, "address"),
    ],
)
async def test_click_that_cannot_be_is_refused_with_the_field(
    logging_nowhere: httpx.AsyncClient, change: dict[str, Any], field: str
) -> None:
    for body in (CLICK | change, [CLICK, CLICK | change]):
        answer = await logging_nowhere.post("/v1/clicks", json=body)
        assert error(answer) == (422, "invalid_click"), answer.text
        assert field in answer.json()["error"]["detail"]


async def test_body_of_clicks_has_its_limits(logging_nowhere: httpx.AsyncClient) -> None:
    async def post(content: bytes, media_type: str = "application/json") -> tuple[int, str]:
        return error(await logging_nowhere.post("/v1/clicks", content=content, headers={"content-type": media_type}))

    assert await post(b"{") == (400, "malformed_body")
    assert await post(b"\xff") == (400, "malformed_body")
    assert await post(b"[" * 100_000) == (422, "invalid_click")
    assert await post(b'"' + b"x" * 600_000 + b'"') == (413, "too_large")
    assert await post(b"{}", "text/plain") == (415, "media_type")
    for body in ([], [CLICK] * 101, "x", 7):
        assert error(await logging_nowhere.post("/v1/clicks", json=body)) == (422, "invalid_click")
    surrogate = b'{"search_id": "%s", "product_id": "\\ud800", "position": 1}' % SEARCH_ID.encode()
    assert (await post(surrogate))[0] in (400, 422, 503)


@pytest.fixture(scope="module")
def anyio_backend() -> str:
    return "asyncio"


@pytest.fixture(scope="module")
async def logging_nowhere(anyio_backend: str) -> AsyncIterator[httpx.AsyncClient]:
    async with logging_blender(NOWHERE, wait_s=0.2) as client:
        yield client
