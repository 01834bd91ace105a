"""The HTTP interface, over real HTTP: what it refuses, and the limits."""

from __future__ import annotations

from collections.abc import AsyncIterator

import httpx
import numpy as np
import pytest

from tests.support.serving.http_world import QUERY_MAX_BYTES, error, picture
from tests.support.serving.world import DIMENSION

pytestmark = pytest.mark.anyio


@pytest.mark.parametrize(
    ("body", "expected"),
    [
        ({"vector": [1.0] * (DIMENSION - 1)}, (422, "invalid_query")),
        ({"vector": [0.0] * DIMENSION}, (422, "invalid_query")),
        ({"vector": [1e300] * DIMENSION}, (422, "invalid_query")),
        ({"vector": ["x"] * DIMENSION}, (422, "invalid_query")),
        ({"vector": [1.0] * DIMENSION, "limit": 0}, (422, "invalid_query")),
        ({"vector": [1.0] * DIMENSION, "limit": 101}, (422, "invalid_query")),
        ({"limit": 3}, (422, "invalid_query")),
        ({"vector": [1.0] * DIMENSION, "filter": "price:1..2"}, (422, "invalid_query")),
        ([], (422, "invalid_query")),
    ],
)
async def test_unusable_vector_is_refused(client: httpx.AsyncClient, body: object, expected: tuple[int, str]) -> None:
    assert error(await client.post("/v1/search/vector", json=body)) == expected


@pytest.mark.parametrize(
    ("content", "kind", "expected"),
    [
        (b"{", "application/json", (400, "malformed_body")),
        (b'{"vector": [NaN]}', "application/json", (400, "malformed_body")),
        (b"[" * 100_000, "application/json", (422, "invalid_query")),
        (b"\xff\xfe", "application/json", (400, "malformed_body")),
        (b"123", "application/octet-stream", (400, "malformed_body")),
        (b"", "application/octet-stream", (422, "invalid_query")),
        (np.full(DIMENSION, np.nan, "<f4").tobytes(), "application/octet-stream", (422, "invalid_query")),
        (np.full(DIMENSION, np.inf, "<f4").tobytes(), "application/octet-stream", (422, "invalid_query")),
        (bytes(1_000_001), "application/octet-stream", (413, "too_large")),
        (b"x", "text/plain", (415, "media_type")),
    ],
)
async def test_bad_vector_body_is_refused(
    client: httpx.AsyncClient, content: bytes, kind: str, expected: tuple[int, str]
) -> None:
    answer = await client.post("/v1/search/vector", content=content, headers={"content-type": kind})
    assert error(answer) == expected


@pytest.mark.parametrize("limit", ["0", "101", "x"])
async def test_limit_outside_its_range_is_refused(client: httpx.AsyncClient, limit: str) -> None:
    answer = await client.post(f"/v1/search/image?limit={limit}", files={"image": ("q", picture(1))})
    assert error(answer) == (422, "invalid_question")


@pytest.mark.parametrize(
    ("files", "expected"),
    [
        ({"image": ("q.jpg", b"")}, (400, "image_empty")),
        ({"image": ("q.jpg", b"no picture at all")}, (415, "image_format")),
        ({"image": ("q.png", picture(1)[:-40])}, (422, "image_broken")),
        ({"image": ("q.png", picture(1, side=1001))}, (413, "image_too_many_pixels")),
        ({"photo": ("q.png", picture(1))}, (400, "field_missing")),
        ({"image": ("q.bin", bytes(QUERY_MAX_BYTES + 1))}, (413, "too_large")),
        ({"image": ("q.bin", bytes(QUERY_MAX_BYTES * 8))}, (413, "too_large")),
    ],
)
async def test_unusable_photo_is_refused(
    client: httpx.AsyncClient, files: dict[str, tuple[str, bytes]], expected: tuple[int, str]
) -> None:
    assert error(await client.post("/v1/search/image", files=files)) == expected


async def test_bad_multipart_is_refused(client: httpx.AsyncClient) -> None:
    for content_type, body in (
        ("multipart/form-data", b"x"),
        ("multipart/form-data; boundary=b", b"--b\r\nContent-Disp"),
        ("multipart/form-data; boundary=b", b"garbage"),
        ("multipart/form-data; boundary=b", b""),
    ):
        answer = await client.post("/v1/search/image", content=body, headers={"content-type": content_type})
        status, reason = error(answer)
        assert (status, reason) in ((400, "malformed_body"), (400, "field_missing")), answer.text
    plain = await client.post("/v1/search/image", content=picture(1), headers={"content-type": "image/png"})
    assert error(plain) == (415, "media_type")


async def test_upload_of_unknown_length_is_cut_off_at_the_limit(client: httpx.AsyncClient) -> None:
    sent = 0

    async def endless() -> AsyncIterator[bytes]:
        nonlocal sent
        yield b'--b\r\nContent-Disposition: form-data; name="image"; filename="q"\r\n\r\n'
        while sent < 400 * QUERY_MAX_BYTES:
            sent += 65_536
            yield bytes(65_536)

    headers = {"content-type": "multipart/form-data; boundary=b"}
    try:
        answer = await client.post("/v1/search/image", content=endless(), headers=headers)
    except httpx.TransportError:
        pass  # the server closed the connection while we were still sending: refused as well
    else:
        assert error(answer) == (413, "too_large")
    assert sent < 400 * QUERY_MAX_BYTES


async def test_unknown_route_answers_in_the_error_form(client: httpx.AsyncClient) -> None:
    assert error(await client.get("/v1/nothing")) == (404, "not_found")
    assert error(await client.get("/v1/search/vector")) == (405, "method_not_allowed")
