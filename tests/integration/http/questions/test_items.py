"""The item in the photo over HTTP: by the box that is given, by the one that is found, and what the answer says."""

from __future__ import annotations

import base64
import io
from collections.abc import AsyncIterator
from typing import Any

import httpx
import pytest
from PIL import Image

import vitrine_client as sdk
from tests.support.serving.http_world import error, over, picture, ready, serving
from tests.support.serving.shop import FIELDS, PROFILES, shop

pytestmark = pytest.mark.anyio

OF_P5 = (0.068, 0.135, 0.432, 0.75)
OTHER = (0.545, 0.265, 0.82, 0.71)


def photo() -> bytes:
    """`picture(5)` and a dark thing on a blue table."""
    table = Image.new("RGB", (440, 260), (70, 120, 200))
    with Image.open(io.BytesIO(picture(5, 160))) as shown:
        table.paste(shown, (30, 35))
    table.paste((20, 20, 20), (240, 69, 360, 184))
    file = io.BytesIO()
    table.save(file, "PNG")
    return file.getvalue()


PHOTO = photo()
ENCODED = base64.b64encode(PHOTO).decode()


@pytest.fixture
async def client() -> AsyncIterator[httpx.AsyncClient]:
    async with serving(over(*shop()), fields=FIELDS, profiles=PROFILES) as client:
        await ready(client)
        yield client


async def ask(client: httpx.AsyncClient, **question: Any) -> dict[str, Any]:
    answer = await client.post("/v1/search", json={"limit": 3, **question})
    assert answer.status_code == 200, answer.text
    found: dict[str, Any] = answer.json()
    return found


async def by_form(client: httpx.AsyncClient, query: str = "", photos: int = 1) -> httpx.Response:
    return await client.post(f"/v1/search/image{query}", files=[("image", ("q", PHOTO))] * photos)


def ids(answer: dict[str, Any]) -> list[str]:
    return [result["product_id"] for result in answer["results"]]


def joined(box: tuple[float, ...]) -> str:
    return ",".join(map(str, box))


async def test_box_that_is_given_is_what_is_searched(client: httpx.AsyncClient) -> None:
    in_json = await ask(client, images=[{"data": ENCODED, "box": OF_P5}])
    in_url = (await by_form(client, f"?limit=3&box={joined(OF_P5)}")).json()
    assert ids(in_json) == ids(in_url)
    assert ids(in_json)[0] == "p5"
    assert in_json["photos"] == in_url["photos"] == [{"box": list(OF_P5)}]
    other = await ask(client, images=[{"data": ENCODED, "box": OTHER}])
    assert [each["score"] for each in other["results"]] != [each["score"] for each in in_json["results"]]


async def test_items_are_told_and_each_can_be_searched_by(client: httpx.AsyncClient) -> None:
    answer = await ask(client, images=[ENCODED], items=True)
    by_url = (await by_form(client, "?limit=3&items=true")).json()
    assert (by_url["photos"], by_url["results"]) == (answer["photos"], answer["results"])
    (seen,) = answer["photos"]
    assert len(seen["items"]) == 2
    assert seen["box"] == seen["items"][0]["box"], "the one that stands out most is searched by default"
    again = await ask(client, images=[{"data": ENCODED, "box": seen["items"][0]["box"]}], items=True)
    assert again["photos"] == answer["photos"]
    assert again["results"] == answer["results"]


async def test_whole_photo_is_searched_by_its_box(client: httpx.AsyncClient) -> None:
    whole = await ask(client, images=[{"data": ENCODED, "box": [0, 0, 1, 1]}])
    assert "photos" not in whole
    item = await ask(client, images=[ENCODED], items=True)
    assert item["photos"][0]["box"] != [0, 0, 1, 1]
    assert item["results"] != whole["results"]
    plain = await ask(client, images=[ENCODED])
    assert "photos" not in plain and plain["results"] == whole["results"], "nobody looks who is not asked to"


async def test_photo_of_one_thing_is_asked_with_as_ever(client: httpx.AsyncClient) -> None:
    answer = (await client.post("/v1/search/image?limit=1", files={"image": ("q", picture(5))})).json()
    assert ids(answer) == ["p5"]
    assert answer["results"][0]["score"] == pytest.approx(1.0, abs=1e-5)
    assert "photos" not in answer
    asked = await ask(client, images=[base64.b64encode(picture(5)).decode()], items=True)
    assert asked["photos"] == [{"box": [0, 0, 1, 1], "items": []}]


async def test_photos_are_told_in_their_order_each_with_its_own_box(client: httpx.AsyncClient) -> None:
    images = [{"data": ENCODED, "box": OTHER}, {"data": ENCODED, "weight": -0.5, "box": [0, 0, 1, 1]}]
    answer = await ask(client, images=images, products=["p1"])
    assert answer["photos"] == [{"box": list(OTHER)}, {"box": [0, 0, 1, 1]}]


async def test_pages_go_on_by_the_same_box_alone(client: httpx.AsyncClient) -> None:
    images = [{"data": ENCODED, "box": OF_P5}]
    first = await ask(client, images=images, limit=20)
    second = await ask(client, images=images, limit=20, cursor=first["cursor"])
    assert not {*ids(first)} & {*ids(second)}
    moved = await client.post(
        "/v1/search", json={"images": [{"data": ENCODED, "box": OTHER}], "cursor": first["cursor"]}
    )
    assert error(moved) == (422, "invalid_cursor")
    by_url = (await by_form(client, f"?limit=20&box={joined(OF_P5)}&offset=0&match=auto")).json()
    on = await by_form(client, f"?limit=20&box={joined(OTHER)}&cursor={by_url['cursor']}")
    assert error(on) == (422, "invalid_cursor")


async def test_box_is_of_one_photo(client: httpx.AsyncClient) -> None:
    refused = await by_form(client, f"?box={joined(OF_P5)}", photos=2)
    assert error(refused) == (422, "invalid_question")
    assert "/v1/search" in refused.json()["error"]["detail"]


async def test_client_asks_with_a_box_and_gets_items_in_structs(client: httpx.AsyncClient) -> None:
    async with sdk.AsyncVitrine(str(client.base_url), trust_env=False) as vitrine:
        answer = await vitrine.search_image(PHOTO, box=OF_P5, items=True, limit=1)
        assert answer.photos is not None
        assert answer.photos[0].box == OF_P5
        assert answer.photos[0].items is not None
        assert all(isinstance(item, sdk.ItemSeen) for item in answer.photos[0].items)
        asked = await vitrine.search(images=[{"data": PHOTO, "box": answer.photos[0].items[1].box}], limit=1)
        assert asked.photos == [sdk.PhotoSeen(box=answer.photos[0].items[1].box)]


async def test_each_item_has_an_answer_of_its_own(client: httpx.AsyncClient) -> None:
    found = (await ask(client, images=[ENCODED], items=True))["photos"][0]["items"]
    response = await client.post("/v1/search/items?limit=2", files={"image": ("q", PHOTO)})
    assert response.status_code == 200, response.text
    answers = [entry["answer"] for entry in response.json()["answers"]]
    assert [answer["photos"] for answer in answers] == [[{"box": item["box"]}] for item in found]
    for answer, item in zip(answers, found, strict=True):
        alone = await client.post(
            f"/v1/search/image?limit=2&box={','.join(map(str, item['box']))}", files={"image": ("q", PHOTO)}
        )
        assert ids(answer) == ids(alone.json())
        following = await client.post(
            f"/v1/search/image?limit=2&box={','.join(map(str, item['box']))}&cursor={answer['cursor']}",
            files={"image": ("q", PHOTO)},
        )
        assert following.status_code == 200, following.text
        assert not {*ids(following.json())} & {*ids(answer)}


async def test_photo_of_one_thing_is_one_item(client: httpx.AsyncClient) -> None:
    photo = picture(5)
    one = (await client.post("/v1/search/items", files={"image": ("q", photo)})).json()["answers"]
    whole = (await client.post("/v1/search/image", files={"image": ("q", photo)})).json()
    assert [ids(entry["answer"]) for entry in one] == [ids(whole)]


@pytest.mark.parametrize(
    ("query", "photos", "says"),
    [("", 2, "send one"), ("?box=0,0,1,1", 1, "box"), ("?filter=nope:1", 1, "nope"), ("?generation=g9", 1, "g9")],
)
async def test_items_refuse_what_is_no_question(client: httpx.AsyncClient, query: str, photos: int, says: str) -> None:
    response = await client.post(f"/v1/search/items{query}", files=[("image", ("q", PHOTO))] * photos)
    assert 400 <= response.status_code < 500
    assert says in response.json()["error"]["detail"]


async def test_items_by_the_client(client: httpx.AsyncClient) -> None:
    async with sdk.AsyncVitrine(str(client.base_url), trust_env=False) as vitrine:
        first, *_ = await vitrine.search_items(PHOTO, limit=1, filter={"price": {"gte": 0}})
        assert first.answer is not None
        assert len(first.answer.results) == 1
        assert first.answer.photos
