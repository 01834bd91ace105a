"""The page asked with photos: handed over, looked at, searched with; and what it says of the index beside."""

from __future__ import annotations

import base64
import io
import json
import re
from pathlib import Path
from typing import Any

import pytest
from PIL import Image
from playwright.sync_api import Page, expect

from tests.support.page.browser import (
    big_photo,
    first_is,
    hand_over,
    product,
    query,
    scene,
    upload,
)
from tests.support.page.shop import Shop
from tests.support.serving.world import revive


def test_chosen_photo_finds_its_product(page: Page, shop: Shop) -> None:
    photo, product_id = query(shop)
    with page.expect_file_chooser() as chooser:
        page.get_by_role("button", name="Choose a photo").click()
    chooser.value.set_files(photo)
    first_is(page, product_id)
    wanted = product(shop, product_id)
    best = page.locator("a.product").first
    expect(best).to_contain_text(wanted["title"])
    expect(best).to_contain_text(f"{wanted['price']:.2f}")
    expect(best).to_contain_text(f"{wanted['sales']:,} sold")
    expect(best).to_contain_text(re.compile(r"\d+ %"))
    expect(page.locator("#live")).to_have_text(re.compile(r"\d+ products found"))
    # Not by wait_for_function, whose second look needs the `eval` that the page's policy forbids.
    expect(page.locator("a.product img").first).not_to_have_js_property("naturalWidth", 0)


def test_dropped_photo_finds_its_product(page: Page, shop: Shop) -> None:
    photo, product_id = query(shop, 1)
    hand_over(page, "drop", photo.read_bytes())
    first_is(page, product_id)
    expect(page.locator("#drop-veil")).not_to_have_class(re.compile("shown"))


def test_pasted_photo_finds_its_product(page: Page, shop: Shop) -> None:
    photo, product_id = query(shop, 2)
    hand_over(page, "paste", photo.read_bytes())
    first_is(page, product_id)


def test_example_finds_its_product_and_survives_a_reload(page: Page, shop: Shop) -> None:
    _, product_id = query(shop, 1)
    page.locator("#examples-list a").nth(1).click()
    first_is(page, product_id)
    page.reload()
    first_is(page, product_id)


def test_camera_takes_the_picture_where_there_is_one(phone: Page, shop: Shop) -> None:
    photo, product_id = query(shop)
    with phone.expect_file_chooser() as chooser:
        phone.get_by_role("button", name="Take a photo").tap()
    assert chooser.value.element.get_attribute("capture") == "environment"
    chooser.value.set_files(photo)
    first_is(phone, product_id)


def test_large_photo_is_scaled_down_before_it_is_sent(page: Page, shop: Shop) -> None:
    photo, product_id = query(shop)
    with page.expect_request("**/v1/search") as asked:
        upload(page, big_photo(photo))
    first_is(page, product_id)
    (image,) = json.loads(asked.value.post_data or "")["images"]
    assert max(Image.open(io.BytesIO(base64.b64decode(image))).size) == 1024


def test_click_on_a_product_shows_similar_ones_and_back_returns(page: Page, shop: Shop) -> None:
    photo, product_id = query(shop)
    upload(page, photo.read_bytes())
    first_is(page, product_id)
    page.locator("a.product").first.click()
    title = product(shop, product_id)["title"]
    expect(page.locator("#results-title")).to_have_text(f"Similar to {title}")
    expect(page.locator("a.product").first).to_be_visible()
    expect(page.locator(f"a.product[data-product-id='{product_id}']")).to_have_count(0)
    page.get_by_role("button", name="Back", exact=True).click()
    expect(page.locator("#results-title")).to_have_text("Looks like your photo")
    first_is(page, product_id)
    page.go_back()
    expect(page.get_by_role("heading", name="Find it by a photo")).to_be_visible()
    expect(page.locator("#results")).to_be_hidden()


def test_similar_products_open_by_their_address(page: Page, shop: Shop) -> None:
    wanted = shop.products[3]
    page.goto(f"{shop.address}/#similar={wanted['product_id']}")
    page.reload()
    expect(page.locator("#results-title")).to_have_text(f"Similar to {wanted['title']}")
    expect(page.locator("#query-facts")).to_contain_text(f"{wanted['price']:.2f}")
    expect(page.locator("a.product").first).to_be_visible()


def test_item_of_a_photo_is_searched_by_a_click_and_by_the_keyboard(page: Page, shop: Shop) -> None:
    photo, product_id = query(shop)
    upload(page, scene(photo))
    first_is(page, product_id)
    item = page.get_by_role("button", name="Search by item 1, middle left")
    other = page.get_by_role("button", name="Search by item 2, middle right")
    expect(item).to_have_attribute("aria-pressed", "true")
    whole = page.get_by_role("button", name="The whole photo")
    whole.click()
    expect(whole).to_have_attribute("aria-pressed", "true")
    expect(page.locator("#seen-words")).to_contain_text("by the whole photo. 2 items")
    other.focus()
    page.keyboard.press("Enter")
    expect(other).to_have_attribute("aria-pressed", "true")
    expect(other).to_be_focused()
    item.click()
    first_is(page, product_id)
    assert "box=" in page.url
    page.go_back()
    expect(other).to_have_attribute("aria-pressed", "true")
    page.get_by_role("button", name="Remove Your photo").click()
    expect(page.locator("#seen")).to_be_hidden()
    assert "box=" not in page.url


def test_text_of_the_catalogue_never_becomes_markup(page: Page, shop: Shop) -> None:
    image = shop.products[0]["images"][0]
    evil = {**shop.products[0], "product_id": "<b>/?#&'\"", "title": "<img src=x onerror=alert(1)><b>bold</b>"}
    shop.list_product(evil, (shop.sample.folder / image).as_uri(), vector_of=image)
    upload(page, (shop.sample.folder / image).read_bytes())
    card = page.locator("a.product", has_text="<img src=x")
    expect(card).to_be_visible()
    assert card.locator("b").count() == 0
    card.click()
    expect(page.locator("#results-title")).to_have_text(f"Similar to {evil['title']}")
    expect(page.locator("a.product").first).to_be_visible()


def test_product_whose_picture_is_gone_says_so(page: Page, shop: Shop) -> None:
    image = shop.products[0]["images"][0]
    gone = {**shop.products[0], "product_id": "gone"}
    shop.list_product(gone, (shop.sample.folder / "images" / "gone.jpg").as_uri(), vector_of=image)
    upload(page, (shop.sample.folder / image).read_bytes())
    expect(page.locator("a.product[data-product-id='gone']")).to_contain_text("No picture")


@pytest.mark.parametrize(
    ("data", "media_type", "words"),
    [
        (b"just words", "text/plain", "not a picture"),
        (b"", "image/jpeg", "empty"),
        (b"no JPEG at all", "image/jpeg", "not a picture"),
    ],
    ids=["text", "empty", "not an image"],
)
def test_file_that_is_no_usable_photo_is_refused_in_plain_words(
    page: Page, data: bytes, media_type: str, words: str
) -> None:
    hand_over(page, "drop", data, media_type)
    expect(page.get_by_role("alert")).to_contain_text(words)
    expect(page.locator("a.product")).to_have_count(0)


def test_unreadable_file_beyond_the_limit_is_too_large(page: Page, tmp_path: Path) -> None:
    file = tmp_path / "photo.jpg"
    file.write_bytes(b"\xff\xd8\xff" + bytes(10_500_000))
    page.set_input_files("#file", file)
    expect(page.get_by_role("alert")).to_contain_text("too large")


def test_drop_without_a_file_says_what_to_do(page: Page) -> None:
    page.evaluate("""document.body.dispatchEvent(new DragEvent("drop",
        { dataTransfer: new DataTransfer(), bubbles: true, cancelable: true }))""")
    expect(page.get_by_role("alert")).to_contain_text("Save it as a file first")


def test_product_taken_down_meanwhile_is_told(page: Page, shop: Shop) -> None:
    page.goto(f"{shop.address}/#similar=never-listed")
    expect(page.get_by_role("alert")).to_contain_text("no longer in the catalogue")


def test_search_waits_while_the_index_starts_and_goes_on_by_itself(page: Page, shop: Shop) -> None:
    photo, product_id = query(shop)
    for searcher in shop.searchers:
        searcher.fail("killed")
    upload(page, photo.read_bytes())
    expect(page.get_by_role("alert")).to_contain_text("still starting")
    assert page.locator("#results").get_attribute("aria-busy") == "true"
    for searcher in shop.searchers:
        revive(searcher)
    first_is(page, product_id)
    expect(page.get_by_role("alert")).to_be_hidden()


def test_silent_shard_is_told_with_the_answer_and_in_the_freshness(page: Page, shop: Shop) -> None:
    photo, _ = query(shop)
    shop.searchers[1].fail("killed")
    upload(page, photo.read_bytes())
    expect(page.locator("#partial")).to_contain_text("shard 1")
    expect(page.locator("#freshness-line")).to_contain_text("1 of 2 parts of the index not ready")
    revive(shop.searchers[1])
    expect(page.locator("#freshness")).to_have_attribute("data-state", "fresh")
    upload(page, photo.read_bytes())
    expect(page.locator("#partial")).to_be_hidden()


def test_no_connection_is_told_and_mended_by_trying_again(page: Page, shop: Shop) -> None:
    photo, product_id = query(shop)
    page.context.set_offline(True)
    upload(page, photo.read_bytes())
    expect(page.get_by_role("alert")).to_contain_text("does not answer")
    page.context.set_offline(False)
    page.get_by_role("button", name="Try again").click()
    first_is(page, product_id)


def test_freshness_shows_how_far_behind_the_index_is(page: Page, shop: Shop) -> None:
    shop.restock(age_ms=3 * 3600 * 1000)
    expect(page.locator("#freshness-line")).to_have_text("Behind: as of 3 hours ago")
    shop.heartbeat()
    expect(page.locator("#freshness")).to_have_attribute("data-state", "fresh")
    before = page.locator("#freshness-line").text_content()
    assert before is not None
    expect(page.locator("#freshness-line")).not_to_have_text(before)  # it ages by itself, with no further event


def test_freshness_counts_pictures_that_wait(page: Page, shop: Shop) -> None:
    shop.list_product({**shop.products[0], "product_id": "new"}, "https://shop.example/new.jpg", vector_of=None)
    page.locator("#freshness summary").click()
    expect(page.locator("#freshness-facts")).to_contain_text("1 picture")
    expect(page.locator("#freshness-facts")).to_contain_text("Full indexnone built yet")
    photo, _ = query(shop)
    upload(page, photo.read_bytes())
    expect(page.locator("#partial")).to_contain_text("1 new picture cannot be found yet")


def test_newer_search_overtakes_a_slow_one(page: Page, shop: Shop) -> None:
    (slow, slow_id), (quick, quick_id) = query(shop), query(shop, 1)
    held: list[Any] = []
    page.route("**/v1/search", lambda route: held.append(route) if not held else route.continue_())
    with page.expect_request("**/v1/search"):
        upload(page, slow.read_bytes())
    expect(page.locator("#results")).to_have_attribute("aria-busy", "true")
    page.get_by_role("button", name="Remove Your photo").click()
    upload(page, quick.read_bytes())
    first_is(page, quick_id)
    assert slow_id != quick_id
    held[0].abort()
    first_is(page, quick_id)


def test_show_more_keeps_what_is_shown(page: Page, shop: Shop) -> None:
    photo, product_id = query(shop)
    upload(page, photo.read_bytes())
    first_is(page, product_id)
    expect(page.locator("a.product")).to_have_count(24)
    page.evaluate("document.querySelector('a.product').dataset.mark = 'kept'")
    page.get_by_role("button", name="Show more").click()
    expect(page.locator("a.product")).to_have_count(len(shop.products))
    expect(page.locator("a.product").first).to_have_attribute("data-mark", "kept")
    expect(page.get_by_role("button", name="Show more")).to_be_hidden()


def test_policy_keeps_the_page_to_its_own_host_and_to_text(page: Page, shop: Shop, complaints: list[str]) -> None:
    policy = page.request.get(shop.address).headers["content-security-policy"]
    assert "default-src 'none'" in policy
    assert "unsafe" not in policy
    refused = page.evaluate("""async () => {
        const violation = new Promise((resolve) => document.addEventListener("securitypolicyviolation",
            (event) => resolve(event.effectiveDirective), { once: true }));
        await fetch("https://elsewhere.example/").catch(() => null);
        return violation;
    }""")
    assert refused == "connect-src"
    markup = page.evaluate("""() => {
        try { document.body.innerHTML = "<b>bold</b>"; } catch (error) { return error.name; }
        return "made";
    }""")
    assert markup == "TypeError"
    assert complaints
    complaints.clear()  # these two were asked for


def test_parts_of_the_look_are_weighed_by_sliders(page: Page, shop: Shop) -> None:
    photo, product_id = query(shop)
    page.set_input_files("#file", [photo])
    first_is(page, product_id)
    page.get_by_text("What counts in the look").click()
    colour = page.get_by_role("slider", name="Colour")
    expect(colour).to_have_attribute("aria-valuetext", "as usual")
    colour.focus()
    with page.expect_request("**/v1/search") as asked:
        colour.press("End")
    assert asked.value.post_data_json["look"] == {"colour": 3}
    expect(colour).to_have_attribute("aria-valuetext", "3 times as much")
    expect(page).to_have_url(re.compile("look=colour%3A3"))
    first_is(page, product_id)
    page.get_by_role("button", name="As usual").click()
    expect(colour).to_have_value("1")
    expect(page).not_to_have_url(re.compile("look="))
    page.go_back()
    expect(colour).to_have_value("3")
