"""What a picture shows, on the page: told by "Why?", and asked for alone by a chip."""

from __future__ import annotations

from playwright.sync_api import Locator, Page, expect

from tests.support.page.browser import becomes, shown_ids
from tests.support.page.shop import Shop


def why(page: Page, product_id: str) -> Locator:
    card = page.locator(f"li.card:has([data-product-id='{product_id}'])")
    card.get_by_role("button", name="Why?").click()
    return card.locator(".reasons")


def test_words_and_objects_in_a_picture_are_told_and_objects_filter(page: Page, shop: Shop) -> None:
    product = shop.products[0]
    image = product["images"][0]
    url = (shop.sample.folder / image).as_uri()
    shop.list_product(product, url, image, words=["SUNRISE"], objects=["person"])
    page.goto(f"{shop.address}/#all=yes&q=sunrise")
    expect(page.locator("a.product")).to_have_count(1)
    reasons = why(page, product["product_id"])
    expect(reasons).to_contain_text("Seen in its picture: person.")
    expect(reasons).to_contain_text("Read in its picture: “SUNRISE”.")
    page.goto(f"{shop.address}/#all=yes")
    expect(page.locator("a.product")).to_have_count(24)
    expect(page.get_by_role("group", name="Shows", exact=True).locator("label.choice")).to_have_count(1)
    page.goto(f"{shop.address}/#q=sunrise")
    expect(page.locator("a.product")).to_have_count(1)
    why(page, product["product_id"]).get_by_role("button", name="Only what shows person").click()
    expect(page.locator("#chosen-list")).to_contain_text("Shows: person")
    assert "objects=person" in page.url
    expect(page.locator("#results-title")).to_be_focused()
    becomes(page, lambda: shown_ids(page), [product["product_id"]])


def test_colours_of_a_picture_are_told_and_filter(page: Page, shop: Shop) -> None:
    product_id = shop.products[3]["product_id"]
    page.goto(f"{shop.address}/#similar={product_id}")
    expect(page.locator("a.product").first).to_be_visible()
    expect(page.locator("#results")).not_to_have_attribute("aria-busy", "true")
    first = shown_ids(page)[0]
    chips = why(page, first).get_by_role("list", name="Shown in the picture").get_by_role("button")
    colour = chips.first.inner_text().split()[-1]
    chips.first.click()
    expect(page.locator("#chosen-list")).to_contain_text(f"Shows colour: {colour}")
    expect(page.locator("#results")).not_to_have_attribute("aria-busy", "true")
    answer = page.request.post(
        f"{shop.address}/v1/search",
        data={"products": [product_id], "filter": {"colours": [colour]}, "explain": True, "limit": 24},
    ).json()
    becomes(page, lambda: shown_ids(page), [each["product_id"] for each in answer["results"]])
    assert answer["results"]
    assert all(colour in each["explain"]["shown"]["colours"] for each in answer["results"])
