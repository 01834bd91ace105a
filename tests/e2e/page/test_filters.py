"""The page's filters with their counts, the order, and pages to the end."""

from __future__ import annotations

import re
from collections import Counter
from typing import Any
from urllib.parse import urlencode

from playwright.sync_api import Locator, Page, expect

from tests.support.page.browser import ask_words, becomes, first_is, query, shown_ids, upload
from tests.support.page.shop import Shop


def opened_catalogue(page: Page, shop: Shop) -> None:
    page.get_by_role("link", name="See the whole catalogue").click()
    expect(page.locator("a.product")).to_have_count(24)
    expect(page.locator("#took")).to_contain_text(f"{len(shop.products)} products")


def group(page: Page, name: str) -> Locator:
    return page.get_by_role("group", name=name)


def counts(page: Page, name: str) -> dict[str, int]:
    """What a group of the panel says, all of it."""
    whole = group(page, name).get_by_role("button", name="Show all")
    if whole.count():
        whole.click()
    found: dict[str, int] = (
        group(page, name)
        .locator("label.choice")
        .evaluate_all(
            """(labels) => Object.fromEntries(labels.map((label) => [label.querySelector(".choice-name").textContent,
            Number(/[0-9]+/.exec(label.querySelector(".count").textContent)[0])]))"""
        )
    )
    return found


def counts_are(page: Page, name: str, wanted: dict[str, int]) -> None:
    """The counts come with the answer; the panel before stays until then."""
    becomes(page, lambda: counts(page, name), wanted)


def counted(products: list[dict[str, Any]], field: str) -> dict[str, int]:
    return dict(Counter(product[field] for product in products))


def test_facets_count_the_catalogue(page: Page, shop: Shop) -> None:
    opened_catalogue(page, shop)
    counts_are(page, "Brand", counted(shop.products, "brand"))
    counts_are(page, "Colour", counted(shop.products, "colour"))
    expect(page.locator("#price-from")).to_have_attribute(
        "placeholder", f"{min(product['price'] for product in shop.products):.2f}"
    )


def test_field_without_values_is_not_shown_until_there_are_some(page: Page, shop: Shop) -> None:
    opened_catalogue(page, shop)
    expect(group(page, "Size")).to_be_visible()
    expect(group(page, "Labels")).to_be_hidden()
    image = shop.products[0]["images"][0]
    labelled = {**shop.products[0], "product_id": "labelled", "labels": ["person", "outdoor"]}
    shop.list_product(labelled, (shop.sample.folder / image).as_uri(), vector_of=image)
    page.get_by_role("button", name="Search", exact=True).click()
    group(page, "Labels").get_by_role("checkbox", name="outdoor").check()
    expect(page.locator("a.product")).to_have_count(1)
    first_is(page, "labelled")


def test_brand_narrows_the_results_and_updates_counts(page: Page, shop: Shop) -> None:
    brands = Counter(product["brand"] for product in shop.products)
    (one, _), (other, _) = brands.most_common(2)
    opened_catalogue(page, shop)
    group(page, "Brand").get_by_role("checkbox", name=one).check()
    expect(page.locator("a.product")).to_have_count(brands[one])
    assert page.evaluate("document.activeElement.value") == one, "the focus stays on what was pressed"
    passing = [product for product in shop.products if product["brand"] == one]
    assert set(shown_ids(page)) == {product["product_id"] for product in passing}
    counts_are(page, "Colour", counted(passing, "colour"))
    counts_are(page, "Brand", brands)  # what else could be chosen
    group(page, "Brand").get_by_role("checkbox", name=other).check()
    expect(page.locator("a.product")).to_have_count(brands[one] + brands[other])
    page.get_by_role("button", name=f"Remove the filter Brand: {one}").click()
    expect(page.locator("a.product")).to_have_count(brands[other])
    expect(group(page, "Brand").get_by_role("checkbox", name=one)).not_to_be_checked()
    page.get_by_role("button", name="Clear all").click()
    expect(page.locator("a.product")).to_have_count(24)
    expect(page.locator("#chosen")).to_be_hidden()


def test_category_is_a_tree_of_which_a_part_can_be_chosen(page: Page, shop: Shop) -> None:
    within = [product for product in shop.products if product["category"].startswith("shoes/")]
    leaf = within[0]["category"].split("/")[1]
    below = [product for product in within if product["category"] == f"shoes/{leaf}"]
    opened_catalogue(page, shop)
    category = group(page, "Category")
    expect(category.get_by_role("checkbox", name=leaf)).to_be_hidden()
    category.get_by_role("checkbox", name="shoes").check()
    expect(page.locator("a.product")).to_have_count(len(within))
    category.get_by_role("checkbox", name=leaf).check()
    expect(page.locator("a.product")).to_have_count(len(below))
    expect(category.get_by_role("checkbox", name="shoes")).not_to_be_checked()
    expect(page.locator("#chosen-list li")).to_have_text([re.compile(f"Category: shoes, {leaf}")])
    category.get_by_role("button", name="What there is in bags").click()
    expect(category.get_by_role("checkbox", name="totes")).to_be_visible()


def test_price_narrows_within_what_there_is(page: Page, shop: Shop) -> None:
    opened_catalogue(page, shop)
    page.locator("#price-from").fill("40")
    page.locator("#price-from").press("Enter")
    page.locator("#price-to").fill("100")
    page.locator("#price-to").press("Tab")
    passing = [product for product in shop.products if 40 <= product["price"] <= 100]
    expect(page.locator("a.product")).to_have_count(len(passing))
    expect(page.get_by_role("button", name="Remove the filter Price: 40.00 to 100.00")).to_be_visible()
    counts_are(page, "Brand", counted(passing, "brand"))
    highest = max(product["price"] for product in shop.products)
    expect(page.locator("#price-to")).to_have_attribute("placeholder", f"{highest:.2f}")
    expect(page.locator("#price-span")).to_contain_text(f"{highest:,.2f}")


def test_prices_the_wrong_way_round_are_turned(page: Page, shop: Shop) -> None:
    page.goto(f"{shop.address}/#all=yes&price=100..")
    page.locator("#price-to").fill("40")
    page.locator("#price-to").press("Enter")
    expect(page.get_by_role("button", name="Remove the filter Price: 40.00 to 100.00")).to_be_visible()


def test_filters_stay_while_the_question_changes(page: Page, shop: Shop) -> None:
    photo, product_id = query(shop)
    wanted = next(product for product in shop.products if product["product_id"] == product_id)
    page.goto(f"{shop.address}/#{urlencode({'all': 'yes', 'brand': wanted['brand']})}")
    chip = page.get_by_role("button", name=f"Remove the filter Brand: {wanted['brand']}")
    expect(chip).to_be_visible()
    upload(page, photo.read_bytes())
    first_is(page, product_id)
    # Counts come with the last answer to the photo; the list stands by then.
    counts_are(page, "Brand", counted(shop.products, "brand"))
    expect(page.locator("a.product").first).to_be_visible()
    brands = {product["product_id"]: product["brand"] for product in shop.products}
    assert {brands[each] for each in shown_ids(page)} == {wanted["brand"]}
    ask_words(page, "in")
    expect(chip).to_be_visible()
    page.locator("a.product").first.click()
    expect(page.locator("#results-title")).to_have_text(re.compile("^Similar to "))
    expect(chip).to_be_visible()


def test_order_by_price_and_by_sales(page: Page, shop: Shop) -> None:
    opened_catalogue(page, shop)
    for chosen, key in (
        ("price", lambda product: (product["price"], product["product_id"])),
        ("-price", lambda product: (-product["price"], product["product_id"])),
        ("-sales", lambda product: (-product["sales"], product["product_id"])),
    ):
        page.get_by_label("Sort by").select_option(chosen)
        wanted = [product["product_id"] for product in sorted(shop.products, key=key)][:24]
        first_is(page, wanted[0])
        expect(page.locator("#results")).not_to_have_attribute("aria-busy", "true")
        becomes(page, lambda: shown_ids(page), wanted)


def test_pages_come_to_the_end_without_repeats(page: Page, shop: Shop) -> None:
    for number in range(40):
        product = shop.products[number]
        image = product["images"][0]
        more = {**product, "product_id": f"more-{number}"}
        shop.list_product(more, (shop.sample.folder / image).as_uri(), vector_of=image)
    page.get_by_role("link", name="See the whole catalogue").click()
    expect(page.locator("#shown")).to_have_text("24 of 80 products shown")
    page.get_by_role("button", name="Show more").focus()
    page.keyboard.press("Enter")
    expect(page.locator("#live")).to_have_text(re.compile(r"^24 more\. "))
    place = "[...document.querySelectorAll('a.product')].indexOf(document.activeElement)"
    assert page.evaluate(place) == 24, "the focus goes to the first that came"
    # From here on by scrolling alone.
    while page.locator("#more").is_visible():
        page.mouse.wheel(0, 4000)
        page.wait_for_timeout(50)
    expect(page.locator("#shown")).to_have_text("All 80 products shown")
    found = shown_ids(page)
    assert len(found) == len(set(found)) == 80


def test_page_that_does_not_come_is_told_and_asked_again(page: Page, shop: Shop) -> None:
    opened_catalogue(page, shop)
    page.context.set_offline(True)
    page.get_by_role("button", name="Show more").click()
    expect(page.locator("#shown")).to_contain_text("did not come")
    page.context.set_offline(False)
    page.get_by_role("button", name="Show more").click()
    expect(page.locator("#shown")).to_have_text(f"All {len(shop.products)} products shown")
