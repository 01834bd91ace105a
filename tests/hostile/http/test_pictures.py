"""Catalogue pictures: shown while a listed product has them, gone with it, and nothing told of the machine."""

from __future__ import annotations

from pathlib import Path

import httpx
import pytest

from schemas.deltas.delta import DeltaBatch
from schemas.ids import image_id, sequence
from serving.searcher.service import SearcherService
from tests.support.serving.http_world import error, over, picture, serving
from tests.support.serving.world import apply, batch, direction

pytestmark = pytest.mark.anyio


def state(product_id: str, url: str, offset: int, valid: bool = True) -> DeltaBatch:
    """The product's one image, listed or removed."""
    deltas = batch()
    vector = direction(5).tobytes() if valid else None
    deltas.add(
        image_id(product_id, url),
        product_id,
        state_seq=sequence(1, offset),
        valid=valid,
        image_seq=sequence(1, 1),
        url=url,
        vector_seq=sequence(1, offset) if valid else 0,
        vector=vector,
    )
    return deltas


async def show(client: httpx.AsyncClient, product: str, url: str, **headers: str) -> httpx.Response:
    return await client.get("/v1/picture", params={"product": product, "url": url}, headers=headers)


async def test_picture_is_gone_with_its_product_also_for_who_has_it_still(
    tmp_path: Path, searcher: SearcherService
) -> None:
    file = tmp_path / "red shoe.dat"
    file.write_bytes(picture(3))
    url = file.as_uri()
    apply(searcher, state("shoe", url, 2))
    async with serving(over(searcher), allowed_folder=tmp_path) as client:
        shown = await show(client, "shoe", url)
        assert (shown.status_code, shown.content) == (200, file.read_bytes())
        assert shown.headers["content-type"] == "image/png"
        assert shown.headers["x-content-type-options"] == "nosniff"
        assert shown.headers["cache-control"] == "private, no-cache"  # asked for anew, each time
        again = await show(client, "shoe", url, **{"if-none-match": shown.headers["etag"]})
        assert (again.status_code, again.content) == (304, b"")

        apply(searcher, state("shoe", url, 3, valid=False))
        assert error(await show(client, "shoe", url)) == (404, "not_found")
        assert error(await show(client, "shoe", url, **{"if-none-match": shown.headers["etag"]})) == (404, "not_found")
        apply(searcher, state("shoe", url, 4))
        assert (await show(client, "shoe", url)).status_code == 200


async def test_picture_is_shown_for_its_own_product_alone(tmp_path: Path, searcher: SearcherService) -> None:
    file = tmp_path / "shoe.png"
    file.write_bytes(picture(3))
    apply(searcher, state("shoe", file.as_uri(), 2))
    async with serving(over(searcher), allowed_folder=tmp_path) as client:
        assert (await show(client, "shoe", file.as_uri())).status_code == 200
        assert error(await show(client, "lamp", file.as_uri())) == (404, "not_found")
        assert error(await show(client, "nobody", file.as_uri())) == (404, "not_found")
        assert error(await client.get("/v1/picture", params={"url": file.as_uri()})) == (422, "invalid_request")


async def test_no_other_file_is_shown_and_no_path_told(tmp_path: Path, searcher: SearcherService) -> None:
    allowed = tmp_path / "catalogue"
    allowed.mkdir()
    (allowed / "secret.txt").write_text("password")
    (allowed / "page.svg").write_text("<svg onload='x'/>")
    (tmp_path / "outside.png").write_bytes(picture(3))
    (allowed / "link.png").symlink_to(tmp_path / "outside.png")
    (allowed / "loop.png").symlink_to(allowed / "loop.png")
    async with serving(over(searcher), allowed_folder=allowed) as client:

        async def refused(url: str, listed: bool = True) -> tuple[int, str]:
            if listed:  # an event may name any URL
                apply(searcher, state("evil", url, 2))
            answer = await show(client, "evil", url)
            assert str(tmp_path) not in answer.text
            assert "outside" not in answer.json()["error"]["detail"].replace("lies outside the folders", "")
            return error(answer)

        assert await refused((allowed / "secret.txt").as_uri(), listed=False) == (404, "not_found")
        assert await refused((allowed / "gone.png").as_uri(), listed=False) == (404, "not_found")
        assert await refused((allowed / "secret.txt").as_uri()) == (415, "image_format")
        assert await refused((allowed / "page.svg").as_uri()) == (415, "image_format")
        assert await refused((tmp_path / "outside.png").as_uri()) == (403, "folder_not_allowed")
        assert await refused(f"{allowed.as_uri()}/../outside.png") == (403, "folder_not_allowed")
        assert await refused((allowed / "link.png").as_uri()) == (403, "folder_not_allowed")
        assert (await refused((allowed / "loop.png").as_uri()))[0] in (403, 404)
        assert await refused((allowed / "gone.png").as_uri()) == (404, "image_missing")
        assert await refused("http://127.0.0.1/x.png") == (400, "url_scheme")


async def test_picture_is_not_shown_while_nobody_can_tell(tmp_path: Path, searcher: SearcherService) -> None:
    file = tmp_path / "shoe.png"
    file.write_bytes(picture(3))
    apply(searcher, state("shoe", file.as_uri(), 2))
    searcher.fail("lost its log")
    async with serving(over(searcher), allowed_folder=tmp_path) as client:
        assert error(await show(client, "shoe", file.as_uri())) == (503, "not_ready")
