"""Photos to try: the sample catalogue's, whenever they are there."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from serving.blender.http.routes.page_files import CONTENT_SECURITY_POLICY
from serving.blender.showing.examples import MAX_EXAMPLES, Example, Examples
from tests.support.serving.http_world import error, over, picture, serving
from tests.support.serving.world import ready_searcher

pytestmark = pytest.mark.anyio


def write(folder: Path, *names: str) -> None:
    rows = [{"image": f"images/{name}.jpg", "product_id": name, "category": "bags"} for name in names]
    (folder / "queries.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))


async def test_no_sample_means_no_examples_until_it_is_made(tmp_path: Path) -> None:
    examples = Examples(tmp_path)
    assert (await examples.all()).examples == []
    write(tmp_path, "a")
    photo = "v1/examples/0/photo"
    assert (await examples.all()).examples == [Example(product_id="a", category="bags", image_url=photo)]
    assert await examples.file_url(0) == (tmp_path / "images" / "a.jpg").as_uri()
    write(tmp_path, "b", "c")
    assert [each.product_id for each in (await examples.all()).examples] == ["b", "c"]


async def test_only_the_first_examples_are_offered(tmp_path: Path) -> None:
    write(tmp_path, *(str(number) for number in range(MAX_EXAMPLES + 5)))
    assert [each.product_id for each in (await Examples(tmp_path).all()).examples] == [
        str(number) for number in range(MAX_EXAMPLES)
    ]


@pytest.mark.parametrize("broken", ["not json\n", '{"image": 3, "product_id": "a"}\n', '{"image": "x.jpg"}\n'])
async def test_unreadable_examples_are_none_and_logged(
    broken: str, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    (tmp_path / "queries.jsonl").write_text(broken)
    assert (await Examples(tmp_path).all()).examples == []
    assert "event=examples_unreadable" in caplog.text


async def test_blender_without_a_sample_lists_no_examples() -> None:
    async with serving(over(ready_searcher())) as client:
        answer = await client.get("/v1/examples")
    assert (answer.status_code, answer.json()) == (200, {"examples": []})


async def test_photo_of_an_example_is_shown_and_no_other(tmp_path: Path) -> None:
    write(tmp_path, "a", "gone")
    (tmp_path / "images").mkdir()
    (tmp_path / "images" / "a.jpg").write_bytes(picture(3))
    (tmp_path / "images" / "other.jpg").write_bytes(picture(4))
    async with serving(over(ready_searcher()), allowed_folder=tmp_path, examples=Examples(tmp_path)) as client:
        listed = (await client.get("/v1/examples")).json()["examples"]
        shown = await client.get(listed[0]["image_url"])
        assert (shown.status_code, shown.content) == (200, picture(3))
        assert error(await client.get(listed[1]["image_url"])) == (404, "image_missing")
        assert error(await client.get("/v1/examples/2/photo")) == (404, "not_found")
        assert str(tmp_path) not in (await client.get(listed[1]["image_url"])).text + str(listed)


async def test_page_carries_its_policy_also_when_it_is_not_modified(tmp_path: Path) -> None:
    (tmp_path / "index.html").write_text("<!doctype html>")
    async with serving(over(ready_searcher()), page=tmp_path) as client:
        first = await client.get("/")
        second = await client.get("/", headers={"If-None-Match": first.headers["etag"]})
    assert (first.status_code, second.status_code) == (200, 304)
    for answer in (first, second):
        assert answer.headers["content-security-policy"] == CONTENT_SECURITY_POLICY
        assert answer.headers["cache-control"] == "no-cache"
