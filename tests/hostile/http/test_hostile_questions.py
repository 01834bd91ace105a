"""Questions that are meant to hurt: refused with the field and the remedy, while others are answered."""

from __future__ import annotations

import asyncio
import base64
import json
from collections.abc import AsyncIterator
from typing import Any

import httpx
import msgspec
import pytest

from serving.searcher.service import SearcherService
from tests.support.serving.http_world import QUERY_MAX_BYTES, error, ids, over, picture, ready, serving
from tests.support.serving.world import direction

pytestmark = pytest.mark.anyio
MANY = [f"b{number}" for number in range(10_000)]


@pytest.fixture
async def client(searcher: SearcherService) -> AsyncIterator[httpx.AsyncClient]:
    async with serving(over(searcher)) as client:
        await ready(client)
        yield client


def nested(levels: int, word: str = "not") -> dict[str, Any]:
    tree: dict[str, Any] = {"brand": "Acme"}
    for _ in range(levels):
        tree = {word: tree if word == "not" else [tree]}
    return tree


def filters_deep(levels: int) -> bytes:
    return b'{"filter":' + b'{"not":' * levels + b'{"brand":"a"}' + b"}" * levels + b"}"


def forged_cursor(value: Any) -> str:
    return base64.urlsafe_b64encode(msgspec.msgpack.encode(value)).rstrip(b"=").decode()


QUESTIONS: dict[str, tuple[dict[str, Any], str, str, str]] = {
    # question, reason, the field that is named, and a word of the remedy
    "many values": ({"filter": {"brand": MANY}}, "invalid_filter", "filter", "1024"),
    "many conditions": ({"filter": {"any": [{"brand": "a"}] * 10_000}}, "invalid_filter", "filter", "64"),
    "many levels": ({"filter": nested(12)}, "invalid_filter", "filter", "8 levels"),
    "many levels of any": ({"filter": nested(9, "any")}, "invalid_filter", "filter", "8 levels"),
    "a field of a megabyte": ({"filter": {"x" * 1_000_000: 1}}, "invalid_filter", "filter", "there are"),
    "a value of a megabyte": ({"filter": {"brand": "x" * 500_000}}, "invalid_filter", "filter.brand", "512"),
    "a number beyond float64": ({"filter": {"price": {"gte": 10**400}}}, "invalid_filter", "price.gte", "finite"),
    "a text for a number": ({"filter": {"price": {"gte": "NaN"}}}, "invalid_filter", "filter.price.gte", "number"),
    "a megabyte of text": ({"text": "a " * 250_000}, "invalid_question", "text", "2000"),
    "many words": ({"text": "word " * 33}, "invalid_query", "words", "32"),
    "a negative list weight": ({"text": "a", "weights": {"look": -1}}, "invalid_question", "weights.look", "100"),
    "a huge weight": ({"products": [{"id": "p", "weight": 1e308}]}, "invalid_question", "products", "weight"),
    "a huge list weight": ({"text": "a", "weights": {"words": 1e308}}, "invalid_question", "weights.words", "100"),
    "no weight above 0": ({"products": [{"id": "p", "weight": -1}]}, "invalid_question", "weight", "above 0"),
    "many vectors": ({"vectors": [[1.0] * 16] * 9}, "invalid_question", "vectors", "8"),
    "many products": ({"products": ["p"] * 10_000}, "invalid_question", "products", "16"),
    "many images": ({"images": ["aGVsbG8="] * 64}, "invalid_question", "images", "8"),
    "a huge vector": ({"vectors": [[1.0] * 20_000]}, "invalid_query", "vector", "16"),
    "a vector beyond float32": ({"vectors": [[1e308] * 16]}, "invalid_query", "vector", "finite"),
    "many ranges": (
        {"filter": {}, "facets": [{"field": "price", "ranges": list(range(10_000))}]},
        "invalid_question", "facets", "64",
    ),
    "many facets": ({"filter": {}, "facets": ["brand"] * 10_000}, "invalid_question", "facets", "16"),
    "ranges that fall": (
        {"filter": {}, "facets": [{"field": "price", "ranges": [3, 1]}]},
        "invalid_question", "facets[0].ranges", "ascend",
    ),
    "a cursor of a megabyte": ({"text": "a", "cursor": "A" * 1_000_000}, "invalid_cursor", "cursor", "first page"),
    "a cursor that is no base64": ({"text": "a", "cursor": "\u00e9\u00e9"}, "invalid_cursor", "cursor", "first page"),
    "a cursor of an integer": ({"text": "a", "cursor": forged_cursor(1)}, "invalid_cursor", "cursor", "first page"),
    "a cursor of a later version": (
        {"text": "a", "cursor": forged_cursor([2**63, b"x" * 8, b""])}, "invalid_cursor", "cursor", "first page",
    ),
    "a cursor of half a hash": (
        {"text": "a", "cursor": forged_cursor([1, b"x" * 8, b"y" * 7])}, "invalid_cursor", "cursor", "first page",
    ),
    "a cursor of deep lists": (
        {"text": "a", "cursor": base64.urlsafe_b64encode(b"\x94\x01\xa1\x78\xa1\x79" + b"\x91" * 7000).decode()},
        "invalid_cursor", "cursor", "first page",
    ),
    "a cursor of bad UTF-8": (
        {"text": "a", "cursor": base64.urlsafe_b64encode(b"\x93\x01\xa2\xff\xfe\xa0").decode()},
        "invalid_cursor", "cursor", "first page",
    ),
    "a box beyond the photo": (
        {"images": [{"data": "aGVsbG8=", "box": [0, 0, 1.5, 1]}]}, "invalid_question", "images[0].box[2]", "0 to 1",
    ),
    "a box of three numbers": (
        {"images": [{"data": "aGVsbG8=", "box": [0, 0, 1]}]}, "invalid_question", "images[0].box", "four numbers",
    ),
    "a box of a million numbers": (
        {"images": [{"data": "aGVsbG8=", "box": [0] * 100_000}]}, "invalid_question", "images[0].box", "four numbers",
    ),
    "a box inside out": (
        {"images": [{"data": "aGVsbG8=", "box": [0.9, 0, 0.1, 1]}]}, "invalid_question", "images[0].box", "x1",
    ),
    "a box that is a line": (
        {"images": [{"data": "aGVsbG8=", "box": [0.5, 0, 0.500001, 1]}]}, "invalid_question", "images[0].box", "0.01",
    ),
    "a profile of a huge weight": ({"text": "a", "rank": {"sales": 1e308}}, "invalid_question", "rank.sales", "100"),
    "a profile of a megabyte": ({"text": "a", "rank": "x" * 1_000_000}, "invalid_question", "rank", "profile"),
    "a product id of a megabyte": ({"products": ["x" * 500_000]}, "invalid_question", "products[0]", "ids have"),
    "a generation of a megabyte": ({"text": "a", "generation": "x" * 500_000}, "invalid_question", "generation", "64"),
    "a sort of a megabyte": ({"text": "a", "sort": "x" * 500_000}, "invalid_question", "sort", "price"),
    "diversity by a huge number": (
        {"text": "a", "diversity": {"max_per": {"brand": 10**30}}}, "invalid_question", "diversity.max_per", "100",
    ),
}  # fmt: skip

BODIES: dict[str, tuple[bytes, str, str]] = {
    "NaN for a weight": (b'{"products":[{"id":"p","weight":NaN}]}', "malformed_body", "JSON"),
    "infinity for a number": (b'{"text":"a","min_score":1e999}', "invalid_question", "a number"),
    "100,000 levels": (filters_deep(100_000), "malformed_body", "JSON"),
    "900 levels": (filters_deep(900), "invalid_filter", "8 levels"),
    "a lone surrogate": (b'{"text":"\\ud800"}', "malformed_body", "JSON"),
    "bytes that are no UTF-8": (b'{"text":"\xff\xfe"}', "malformed_body", "JSON"),
    "an empty body": (b"", "malformed_body", "JSON"),
    "base64 of a text": (b'{"images":["no base64!"]}', "invalid_question", "images"),
}


@pytest.mark.parametrize("case", QUESTIONS)
async def test_question_is_refused_with_the_field_and_the_remedy(client: httpx.AsyncClient, case: str) -> None:
    question, reason, field, remedy = QUESTIONS[case]
    response = await client.post("/v1/search", json=question)
    assert error(response) == (422, reason)
    detail = response.json()["error"]["detail"]
    assert field in detail
    assert remedy in detail
    assert len(detail) < 2000


@pytest.mark.parametrize("case", BODIES)
async def test_body_is_refused(client: httpx.AsyncClient, case: str) -> None:
    body, reason, remedy = BODIES[case]
    response = await client.post("/v1/search", content=body, headers={"content-type": "application/json"})
    assert error(response)[1] == reason
    assert 400 <= response.status_code < 500
    assert remedy in response.json()["error"]["detail"]
    one_of_many = b'{"queries":[' + (body or b'""') + b',{"text":"lamp"}]}'
    batch = await client.post("/v1/search/batch", content=one_of_many, headers={"content-type": "application/json"})
    assert batch.status_code < 500
    if batch.status_code == 200:
        assert batch.json()["answers"][0]["error"]["reason"] in (reason, "invalid_question")
        assert batch.json()["answers"][1]["answer"]["results"]


@pytest.mark.parametrize(
    ("query", "remedy"),
    [
        ("box=", None),
        ("box=0,0,1,1", None),
        ("box=0,0,1", "four"),
        ("box=0,0,1,1,1", "four"),
        ("box=" + "0," * 10_000, "four"),
        ("box=nan,0,1,1", "from 0 to 1"),
        ("box=0,0,inf,1", "from 0 to 1"),
        ("box=1e-999,0,1e999,1", "from 0 to 1"),
        ("box=0.5,0.5,0.5,0.5", "x1"),
        ("box=%00,0,1,1", "the form"),
        ("box=0,0,1,1&box=0,0,1,1", "once"),
        ("items=perhaps", "true or false"),
        ("items=true&items=true", "once"),
    ],
)
async def test_box_in_the_url_is_one_or_is_refused(client: httpx.AsyncClient, query: str, remedy: str | None) -> None:
    response = await client.post(f"/v1/search/image?{query}", files={"image": ("q", picture(1))})
    if remedy is None:
        assert ids(response)[0] == "photo"
        return
    assert error(response) == (422, "invalid_question")
    assert remedy in response.json()["error"]["detail"]


async def test_box_and_items_are_of_photos_alone(client: httpx.AsyncClient) -> None:
    for path in ("/v1/search/text?q=a&", "/v1/products/lamp/similar?"):
        for query in ("box=0,0,1,1", "items=true"):
            assert error(await client.get(path + query)) == (422, "invalid_question")


async def test_photos_beyond_the_number_and_beyond_the_total_are_refused(client: httpx.AsyncClient) -> None:
    photo = picture(1)
    many = await client.post("/v1/search/image", files=[("image", ("q", photo))] * 64)
    assert error(many)[1] == "malformed_body"
    assert "8" in many.json()["error"]["detail"]
    large = [("image", ("q", photo + bytes(QUERY_MAX_BYTES - len(photo) - 10)))] * 4
    together = await client.post("/v1/search/image", files=large)
    assert error(together) == (413, "too_large")


async def test_base64_beyond_the_limit_is_refused(client: httpx.AsyncClient) -> None:
    huge = base64.b64encode(bytes(20_000_000)).decode()
    response = await client.post("/v1/search", json={"images": [huge]})
    assert error(response) == (413, "too_large")
    # Within the body's limit, and yet more than one photo may have.
    photo = base64.b64encode(picture(1) + bytes(QUERY_MAX_BYTES + 1000)).decode()
    one = await client.post("/v1/search", json={"images": [photo]})
    assert error(one) == (413, "image_too_large")


async def test_short_filters_that_are_meant_to_take_time_are_answered_at_once(client: httpx.AsyncClient) -> None:
    for text in ("a" * 16_000, ";" * 16_000, "brand:" + "," * 16_000, 'brand:"' + '\\"' * 8_000, "-" * 16_000,
                 "brand:" + "x" * 16_000, "price:" + "." * 16_000, "{" * 16_000):  # fmt: skip
        response = await client.get("/v1/search/text", params={"filter": text})
        assert response.status_code in (200, 400, 414, 422, 431)
        assert response.headers["content-type"].startswith("application/json")


async def test_others_are_answered_meanwhile(client: httpx.AsyncClient) -> None:
    hostile = [json.dumps(question).encode() for question, *_ in QUESTIONS.values()]
    hostile += [body for body, *_ in BODIES.values()]
    done = asyncio.Event()

    async def attack() -> int:
        answered = 0
        while not done.is_set():
            for body in hostile:
                response = await client.post("/v1/search", content=body, headers={"content-type": "application/json"})
                assert 400 <= response.status_code < 500
                answered += 1
        return answered

    attackers = [asyncio.create_task(attack()) for _ in range(3)]
    try:
        for _ in range(40):
            answer = await client.post(
                "/v1/search", json={"vectors": [direction(1).tolist()], "filter": {"brand": "Acme"}}
            )
            assert ids(answer)[0] == "lamp"
    finally:
        done.set()
    assert min(await asyncio.gather(*attackers)) > 0
