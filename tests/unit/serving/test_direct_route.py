"""Requests that pass FastAPI by mean what they mean to FastAPI."""

from __future__ import annotations

from typing import Annotated

import httpx
import pytest
from fastapi import FastAPI, Query, Request, Response
from hypothesis import given
from hypothesis import strategies as st

from serving.blender.http.direct import DirectRoute
from serving.blender.http.uploads import DEFAULT_LIMIT, MAX_LIMIT

Limit = Annotated[int, Query(ge=1, le=MAX_LIMIT)]
Generation = Annotated[str, Query(max_length=64)]


async def echo(request: Request, limit: Limit = DEFAULT_LIMIT, generation: Generation = "") -> Response:
    return Response(f"{limit!r} {generation!r}")


pytestmark = pytest.mark.anyio
APP = FastAPI()
APP.router.add_api_route("/direct", echo, methods=["POST"], route_class_override=DirectRoute, response_model=None)
APP.router.add_api_route("/documented", echo, methods=["POST"], response_model=None)

WORDS = [
    *(
        "limit=5",
        "limit=100",
        "limit=101",
        "limit=0",
        "limit=05",
        "limit=+5",
        "limit=5.0",
        "limit=",
        "limit",
        "LIMIT=5",
    ),
    *("generation=live", "generation=", "generation=a%2Db", "generation=" + "g" * 65, "generation=g20261101T000000-a"),
    *("limit=%35", "limit=7;generation=x", "generation=a b", "generation=é", "other=1", ""),
]


async def ask(path: str, query: str) -> tuple[int, str]:
    transport = httpx.ASGITransport(app=APP)
    async with httpx.AsyncClient(transport=transport, base_url="http://test") as client:
        answer = await client.post(f"{path}?{query}")
    return answer.status_code, answer.text


@given(st.lists(st.sampled_from(WORDS), max_size=3).map("&".join))
async def test_every_query_string_means_the_same_both_ways(query: str) -> None:
    assert await ask("/direct", query) == await ask("/documented", query)


async def test_ordinary_parameters_arrive() -> None:
    assert await ask("/direct", "limit=20&generation=live") == (200, "20 'live'")
    assert await ask("/direct", "") == (200, f"{DEFAULT_LIMIT} ''")
    assert (await ask("/direct", "limit=0"))[0] == 422
