"""API keys: what each opens, what it may ask for, and that no secret is anywhere but with its owner."""

from __future__ import annotations

import asyncio
import logging
import math
from collections.abc import AsyncIterator, Callable
from pathlib import Path

import httpx
import pytest
from starlette.routing import Route

from schemas.access.api_keys import ApiKey, ApiKeys, Role, change_keys, new_key, read_keys
from schemas.errors import CorruptError, OperatorError
from serving.blender.http.allowance import Bucket
from serving.blender.http.keys import ANY, NEEDED, OPEN, KeyRing
from serving.blender.writing.erasures import Erasures
from serving.searcher.service import SearcherService
from tests.support.serving.http_world import error, ids, over, picture, post_vector, ready, serving

pytestmark = pytest.mark.anyio

Make = Callable[..., dict[str, str]]


@pytest.fixture
def file(tmp_path: Path) -> Path:
    file = tmp_path / "api-keys.json"
    change_keys(file, lambda keys: keys)
    return file


@pytest.fixture
def make(file: Path) -> Make:
    def make(*roles: Role, **limits: float) -> dict[str, str]:
        """The header of a new key."""
        key, text = new_key("a shop", roles, **limits)  # type: ignore[arg-type]
        change_keys(file, lambda before: ApiKeys(keys=(*before.keys, key)))
        return {"authorization": f"Bearer {text}"}

    return make


@pytest.fixture
async def client(searcher: SearcherService, file: Path, tmp_path: Path) -> AsyncIterator[httpx.AsyncClient]:
    page = tmp_path / "page"
    page.mkdir()
    (page / "index.html").write_text("<!doctype html>")
    erasures = Erasures("127.0.0.1:1", keyed=True, timeout_s=0.2)  # nothing listens there
    async with serving(over(searcher), keys=KeyRing(file, look_s=0), page=page, erasures=erasures) as client:
        await ready(client)
        yield client


CALLS = {
    "/v1/search": ("POST", "/v1/search"),
    "/v1/search/hybrid": ("POST", "/v1/search/hybrid"),
    "/v1/search/text": ("GET", "/v1/search/text?q=x"),
    "/v1/search/batch": ("POST", "/v1/search/batch"),
    "/v1/search/items": ("POST", "/v1/search/items"),
    "/v1/suggest": ("GET", "/v1/suggest?q=x"),
    "/v1/clicks": ("POST", "/v1/clicks"),
    "/v1/search/image": ("POST", "/v1/search/image"),
    "/v1/search/vector": ("POST", "/v1/search/vector"),
    "/v1/products/{product_id:product}/similar": ("GET", "/v1/products/lamp/similar"),
    "/v1/products/{product_id:product}/status": ("GET", "/v1/products/lamp/status"),
    "/v1/products/{product_id:product}/erase": ("POST", "/v1/products/lamp/erase"),
    "/v1/picture": ("GET", "/v1/picture?product=lamp&url=file:///x"),
    "/v1/examples": ("GET", "/v1/examples"),
    "/v1/examples/{number}/photo": ("GET", "/v1/examples/0/photo"),
    "/v1/index": ("GET", "/v1/index"),
    "/v1/report": ("GET", "/v1/report"),
    "/metrics": ("GET", "/metrics"),
}


async def test_every_route_is_in_the_table_and_asked_about(client: httpx.AsyncClient) -> None:
    app = client.app  # type: ignore[attr-defined]
    routes = {route.path for route in app.routes if isinstance(route, Route)}
    assert routes <= NEEDED.keys()
    assert {route for route in routes if NEEDED[route] != OPEN} == CALLS.keys()


@pytest.mark.parametrize("route", CALLS)
async def test_route_opens_to_its_roles_alone(client: httpx.AsyncClient, make: Make, route: str) -> None:
    method, path = CALLS[route]
    for role in Role:
        answer = await client.request(method, path, headers=make(role))
        if role in NEEDED[route]:
            assert answer.status_code not in (401, 403), answer.text
        else:
            assert error(answer) == (403, "role_missing")
    for headers in ({}, {"authorization": "Basic eDp5"}, {"authorization": "Bearer vtr_000000000000_" + "A" * 43}):
        for said in (method, "HEAD", "DELETE", "OPTIONS"):
            answer = await client.request(said, path, headers=headers)
            assert (answer.status_code, answer.headers["www-authenticate"]) == (401, "Bearer")


async def test_erasure_that_kafka_does_not_take_is_said_to_be_none(client: httpx.AsyncClient, make: Make) -> None:
    answer = await client.post("/v1/products/lamp/erase", headers=make(Role.ERASE))
    assert error(answer) == (503, "kafka_unavailable")
    assert "is not in the log" in answer.text


async def test_nothing_is_erased_where_nobody_needs_a_key(searcher: SearcherService) -> None:
    erasures = Erasures("127.0.0.1:1", keyed=False)
    async with serving(over(searcher), erasures=erasures) as client:
        assert error(await client.post("/v1/products/lamp/erase")) == (403, "erasing_needs_keys")


async def test_health_page_and_documentation_need_no_key(client: httpx.AsyncClient) -> None:
    for path in ("/healthz", "/readyz", "/", "/docs", "/openapi.json"):
        assert (await client.get(path)).status_code == 200
    assert (await client.get("/v1/nothing")).status_code == 404


@pytest.mark.parametrize(
    "path", ["/v1/index/", "//v1/index", "/v1//index", "/V1/index", "/%76%31/index", "/x/../v1/index", "/v1/index?a#b"]
)
async def test_no_other_spelling_goes_round_the_check(client: httpx.AsyncClient, path: str) -> None:
    answer = await client.get(path, follow_redirects=True)
    assert answer.status_code in (401, 404), answer.text


async def test_keys_are_taken_up_and_revoked_without_a_restart(
    client: httpx.AsyncClient, make: Make, file: Path, caplog: pytest.LogCaptureFixture
) -> None:
    headers = make(Role.SEARCH, Role.OPERATE)
    client.headers.update(headers)
    assert ids(await post_vector(client))[0] == "lamp"
    good = file.read_bytes()
    file.write_text("{")  # damaged: what was known stays
    assert ids(await post_vector(client))[0] == "lamp"
    assert "event=api_keys_unreadable" in caplog.text
    file.write_bytes(good)
    change_keys(file, lambda _: ApiKeys())
    assert error(await post_vector(client)) == (401, "key_missing")
    file.write_bytes(good)
    assert ids(await post_vector(client))[0] == "lamp"
    file.unlink()
    assert error(await post_vector(client)) == (401, "key_missing")


async def test_requests_of_a_key_are_limited(client: httpx.AsyncClient, make: Make) -> None:
    slow, other = make(Role.SEARCH, requests_per_s=0.01), make(Role.SEARCH)
    assert (await client.get("/v1/index", headers=slow)).status_code == 200
    answer = await client.get("/v1/index", headers=slow)
    assert error(answer) == (429, "too_many_requests")
    assert 90 <= int(answer.headers["retry-after"]) <= 100
    assert (await client.get("/v1/index", headers=other)).status_code == 200


async def test_bytes_of_a_keys_photos_are_limited(client: httpx.AsyncClient, make: Make) -> None:
    photo = picture(1) + bytes(50_000)
    headers = make(Role.SEARCH, photo_bytes_per_minute=120_000)

    async def post(**form: object) -> httpx.Response:
        return await client.post("/v1/search/image", headers=headers, **form)  # type: ignore[arg-type]

    answers = await asyncio.gather(*(post(files={"image": ("q", photo)}) for _ in range(5)))
    assert sorted(answer.status_code for answer in answers) == [200, 200, 429, 429, 429]
    refused = next(answer for answer in answers if answer.status_code == 429)
    assert error(refused) == (429, "too_many_requests")
    assert 1 <= int(refused.headers["retry-after"]) <= 60

    async def unannounced() -> AsyncIterator[bytes]:
        yield b'--b\r\nContent-Disposition: form-data; name="image"; filename="q"\r\n\r\n'
        yield photo
        yield b"\r\n--b--\r\n"

    headers["content-type"] = "multipart/form-data; boundary=b"
    try:
        late = await post(content=unannounced())
    except httpx.TransportError:
        pass  # the server closed the connection while we were still sending: refused as well
    else:
        assert error(late) == (429, "too_many_requests")
    assert 'status="429"} 4.0' in (await client.get("/metrics", headers=make(Role.OPERATE))).text


async def test_no_secret_is_kept_logged_or_told(
    client: httpx.AsyncClient, make: Make, file: Path, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.DEBUG)
    headers = make(Role.SEARCH)
    secret = headers["authorization"].rpartition("_")[2]
    answers = [await client.get(path, headers=headers) for path in ("/v1/index", "/metrics", "/v1/nothing")]
    answers.append(await client.get("/v1/index", headers={"authorization": headers["authorization"][:-1]}))
    for told in (caplog.text, file.read_text(), *(answer.text + str(answer.headers) for answer in answers)):
        assert secret[:20] not in told
    assert file.stat().st_mode & 0o077 == 0
    (kept,) = read_keys(file).keys
    assert secret not in repr(kept)
    assert new_key("x", (Role.SEARCH,))[0].hash != new_key("x", (Role.SEARCH,))[0].hash


def test_file_that_is_none_is_refused_at_the_start(tmp_path: Path) -> None:
    file = tmp_path / "keys.json"
    with pytest.raises(OperatorError, match="vitrine keys add"):
        KeyRing(file)
    key, _ = new_key("x", (Role.ERASE,))
    for text in ("", "[]", '{"version": 2}', '{"keys": [{"id": "x"}]}'):
        file.write_text(text)
        with pytest.raises(CorruptError):
            read_keys(file)
        with pytest.raises(OperatorError):
            KeyRing(file)
    with pytest.raises(OperatorError):
        new_key("", (Role.SEARCH,))
    with pytest.raises(OperatorError):
        new_key("x", (Role.SEARCH,), requests_per_s=-1)
    assert isinstance(key, ApiKey)


def test_bucket_fills_with_time() -> None:
    now = [0.0]
    bucket = Bucket(2.0, 4.0, lambda: now[0])
    assert [bucket.take(1) for _ in range(5)] == [0, 0, 0, 0, 0.5]
    now[0] = 0.5
    assert bucket.take(1) == 0
    assert bucket.take(5) == math.inf
    now[0] = 100.0
    assert (bucket.take(4), bucket.take(1)) == (0, 0.5)
    assert Bucket(0.0, 0.0).take(1e9) == 0


def test_table_knows_every_role() -> None:
    assert frozenset().union(*NEEDED.values()) == ANY
