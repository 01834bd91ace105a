"""Photos that cost little to send and much to decode, many of them, and clients that do not wait for the answer."""

from __future__ import annotations

import asyncio
import io
import threading
from collections.abc import AsyncIterator

import httpx
import numpy as np
import pytest
from numpy.typing import NDArray
from PIL import Image

from indexing.look.tuning import Tuning
from schemas.errors import RejectedError
from schemas.settings import Settings
from serving.blender.embedding.decoding import LARGE_COST
from serving.blender.embedding.vision_embedder import query_limits
from serving.blender.http.uploads import Uploads
from serving.searcher.service import SearcherService
from tests.hostile.http import bombs
from tests.hostile.http.raw import PART, photo_head, wire
from tests.support.serving.http_world import (
    QUERY_MAX_BYTES,
    GreyEmbedder,
    error,
    ids,
    over,
    picture,
    post_vector,
    ready,
    serving,
)
from vision.pictures.decode import checked_header, decode_image

pytestmark = pytest.mark.anyio

LIMITS = query_limits(Settings())
MANY_PIXELS = (413, "image_too_many_pixels")
TOO_COMPLEX = (422, "image_too_complex")


@pytest.fixture
async def client(searcher: SearcherService) -> AsyncIterator[httpx.AsyncClient]:
    async with serving(over(searcher)) as client:
        await ready(client)
        yield client


async def post_photo(client: httpx.AsyncClient, data: bytes) -> httpx.Response:
    return await client.post("/v1/search/image", files={"image": ("q", data)})


@pytest.mark.parametrize(
    ("data", "expected"),
    [
        (bombs.webp_of(7000, 7000), MANY_PIXELS),
        (bombs.webp_canvas(16_000, 16_000), MANY_PIXELS),
        (bombs.png_of(60_000, 60_000), MANY_PIXELS),
        (bombs.png_of(2**31 - 1, 2**31 - 1), MANY_PIXELS),
        (bombs.gif_of(65_535, 65_535), MANY_PIXELS),
        (bombs.png_with(bombs.png_chunk(b"IHDR", bombs.png_of(7000, 7000)[16:29])), MANY_PIXELS),
        (bombs.png_with(bombs.png_chunk(b"prVt") * 15_000), None),
        (bombs.gif_with_comments(20_000), TOO_COMPLEX),
        (bombs.jpeg_of_scans(1_000), TOO_COMPLEX),
        (bombs.jpeg_with_segments(10_000), TOO_COMPLEX),
        (bombs.jpeg_with_segments(10_000, 0xFE), TOO_COMPLEX),
    ],
    ids=lambda value: f"{len(value)} bytes" if isinstance(value, bytes) else "",
)
async def test_bomb_is_refused_and_the_search_goes_on(
    client: httpx.AsyncClient, data: bytes, expected: tuple[int, str] | None
) -> None:
    answers = await asyncio.gather(*(post_photo(client, data) for _ in range(8)))
    for answer in answers:
        if expected is None:
            assert answer.status_code == 200
        else:
            assert error(answer) == expected
    assert ids(await post_photo(client, picture(1)))[0] == "photo"


@pytest.mark.parametrize(
    "data",
    [
        bombs.webp_of(7000, 7000),
        bombs.webp_canvas(16_000, 16_000),
        bombs.png_of(4_000, 4_000),
        bombs.gif_of(65_535, 65_535),
        bombs.saved(Image.new("L", (11_000, 11_000)), "JPEG"),
        bombs.saved(Image.new("L", (5_100, 5_100)), "JPEG", progressive=True),
    ],
    ids=["webp", "webp canvas", "png", "gif", "jpeg", "progressive jpeg"],
)
def test_header_alone_says_that_a_query_is_too_large(data: bytes) -> None:
    with pytest.raises(RejectedError, match="image_too_many_pixels"):
        checked_header(data, LIMITS)


def test_large_jpeg_of_a_camera_is_scaled_down_while_it_is_read() -> None:
    photo = bombs.saved(Image.new("RGB", (11_000, 9_000), (10, 90, 200)), "JPEG")
    assert checked_header(photo, LIMITS).cost >= LARGE_COST
    assert decode_image(photo, LIMITS).size == (1375, 1125)
    narrow = bombs.saved(Image.new("L", (60_000, 600)), "JPEG")  # cannot be scaled down
    with pytest.raises(RejectedError, match="image_too_many_pixels"):
        decode_image(narrow, LIMITS)


def test_picture_of_another_kind_is_halved_as_a_jpeg_would_be() -> None:
    noise = Image.effect_noise((400, 300), 80).resize((4_000, 3_000)).convert("RGB")
    assert decode_image(bombs.saved(noise, "WEBP"), LIMITS).size == (1000, 750)
    assert decode_image(bombs.saved(noise.resize((1200, 1200)), "PNG"), LIMITS).size == (1200, 1200)


def test_metadata_is_not_parsed_but_for_the_orientation() -> None:
    half = Image.new("RGB", (40, 20), "black")
    half.paste("white", (0, 0, 20, 20))
    upright = decode_image(bombs.jpeg_with_exif(bombs.exif_of_tags(200, 50_000), half), LIMITS)
    assert upright.size == (20, 40)
    assert np.asarray(upright)[5, 10, 0] > 200 > 50 > np.asarray(upright)[35, 10, 0]
    shared = bombs.exif_of_tags(200, 3_000_000).removeprefix(b"Exif\0\0")
    assert decode_image(bombs.png_with(bombs.png_chunk(b"eXIf", shared)), LIMITS).size == (50, 50)


def test_colours_of_a_jpeg_do_not_depend_on_the_metadata_left_out() -> None:
    noise = Image.merge("CMYK", [Image.effect_noise((64, 48), 90) for _ in range(4)])
    for image in (noise, noise.convert("RGB"), noise.convert("L")):
        plain = bombs.saved(image, "JPEG", quality=95, icc_profile=bytes(3000), comment=b"x")
        with Image.open(io.BytesIO(plain)) as opened:
            expected = np.asarray(opened.convert("RGB"))
        assert np.array_equal(np.asarray(decode_image(plain, LIMITS)), expected)


class Gate(GreyEmbedder):
    """Decodes when the gate of the photo's lane is opened."""

    def __init__(self) -> None:
        self.ordinary = threading.Event()
        self.large = threading.Event()
        self.decoded: list[int] = []

    tuning: Tuning | None = None

    def weigh(self, data: bytes) -> int:
        return LARGE_COST if len(data) > 20_000 else super().weigh(data)

    def prepare(self, data: bytes) -> NDArray[np.uint8]:
        gate = self.large if len(data) > 20_000 else self.ordinary
        assert gate.wait(60)
        self.decoded.append(len(data))
        return super().prepare(data)


LARGE = picture(1) + bytes(30_000)


@pytest.fixture
def gate() -> Gate:
    return Gate()


async def _waiting(client: httpx.AsyncClient, photos: list[bytes]) -> list[asyncio.Task[httpx.Response]]:
    """Posts, each sent after the one before has begun to be received."""
    tasks = []
    for photo in photos:
        tasks.append(asyncio.create_task(post_photo(client, photo)))
        await asyncio.sleep(0.05)
    return tasks


async def test_large_photos_do_not_hold_ordinary_ones_up(searcher: SearcherService, gate: Gate) -> None:
    gate.ordinary.set()
    async with serving(over(searcher), load=lambda *_: gate) as client:
        await ready(client)
        large = await _waiting(client, [LARGE] * 8)
        assert ids(await post_photo(client, picture(1)))[0] == "photo"
        assert not any(task.done() for task in large)
        gate.large.set()
        assert [ids(await task)[0] for task in large] == ["photo"] * 8


async def test_queue_of_photos_is_bounded(searcher: SearcherService, gate: Gate) -> None:
    async with serving(over(searcher), load=lambda *_: gate, most_waiting=8) as client:
        await ready(client)
        tasks = await _waiting(client, [picture(1)] * 10)  # two are decoded, eight wait
        answer = await post_photo(client, picture(1))
        assert error(answer) == (503, "overloaded")
        assert answer.headers["retry-after"] == "1"
        more = await _waiting(client, [LARGE] * 2)  # one is decoded, one waits
        assert error(await post_photo(client, LARGE)) == (503, "overloaded")
        gate.ordinary.set()
        gate.large.set()
        assert [(await task).status_code for task in tasks + more] == [200] * 12


async def test_photo_of_a_client_that_left_is_not_decoded(searcher: SearcherService, gate: Gate) -> None:
    async with serving(over(searcher), load=lambda *_: gate) as client:
        await ready(client)
        body = PART + picture(2) + b"\r\n--b--\r\n"
        for _ in range(12):  # two are being decoded, ten wait
            async with wire(client) as connection:
                await connection.send(photo_head(len(body)) + body)
                await asyncio.sleep(0.03)
        async with asyncio.timeout(60):
            while 'status="400"} 12.0' not in (await client.get("/metrics")).text:
                await asyncio.sleep(0.02)
        gate.ordinary.set()
        assert ids(await post_photo(client, picture(1)))[0] == "photo"
        assert len(gate.decoded) == 3


async def test_search_that_takes_too_long_is_ended(searcher: SearcherService, gate: Gate) -> None:
    async with serving(over(searcher), load=lambda *_: gate, search_timeout_s=0.3) as client:
        await ready(client)
        answers = await asyncio.gather(*(post_photo(client, picture(1)) for _ in range(6)))
        assert [error(answer) for answer in answers] == [(504, "overdue")] * 6
        gate.ordinary.set()
        assert ids(await post_photo(client, picture(1)))[0] == "photo"
        assert len(gate.decoded) == 3  # two that had begun, and the last


async def test_uploads_share_a_bounded_memory(searcher: SearcherService) -> None:
    uploads = Uploads(QUERY_MAX_BYTES, total_bytes=400_000)
    async with serving(over(searcher), uploads=uploads) as client:
        await ready(client)
        async with wire(client) as first, wire(client) as second:
            for connection in (first, second):
                await connection.send(photo_head(199_000) + PART + bytes(190_000))
            async with asyncio.timeout(60):
                while uploads.held_bytes < 380_000:
                    await asyncio.sleep(0.01)
            answer = await post_photo(client, picture(1, side=900, kind="BMP")[:50_000])
            assert error(answer) == (503, "overloaded")
            assert answer.headers["retry-after"] == "1"
            assert ids(await post_vector(client))[0] == "lamp"
        async with asyncio.timeout(60):
            while uploads.held_bytes:
                await asyncio.sleep(0.01)
        assert ids(await post_photo(client, picture(1)))[0] == "photo"


@pytest.mark.parametrize("factor", [1e38, 1e20, 1e-30, 1e-44])
async def test_length_of_a_vector_is_of_no_matter(client: httpx.AsyncClient, factor: float) -> None:
    vector = np.random.default_rng(1).integers(1, 9, 16).astype(np.float64)
    headers = {"content-type": "application/octet-stream"}
    answers = [
        await client.post("/v1/search/vector", content=(vector * by / 8).astype("<f4").tobytes(), headers=headers)
        for by in (1.0, factor)
    ]
    plain, scaled = [[(r["product_id"], r["score"]) for r in answer.json()["results"]] for answer in answers]
    assert [product for product, _ in plain] == [product for product, _ in scaled]
    # Numbers as small as 1e-44 have a digit or two left.
    assert np.allclose([s for _, s in plain], [s for _, s in scaled], atol=0.2 if factor == 1e-44 else 1e-5)


async def test_vector_without_a_direction_names_the_remedy(client: httpx.AsyncClient) -> None:
    for vector in (np.zeros(16), np.full(16, 1e-60)):
        answer = await client.post("/v1/search/vector", json={"vector": vector.tolist()})
        assert error(answer) == (422, "invalid_query")
        assert "embed" in answer.text
