"""The page for everybody: by the keyboard alone, by a screen reader (axe-core), on a phone, dark, without motion."""

from __future__ import annotations

from collections.abc import Callable
from importlib.resources import files

import pytest
from playwright.sync_api import Browser, Page, expect

from tests.support.page.browser import ask_words, first_is, opened, query, scene, upload
from tests.support.page.shop import Shop

AXE = (files("axe_playwright_python") / "axe.min.js").read_text(encoding="utf-8")


def findings(page: Page) -> list[str]:
    """What axe-core has to say, in one line each."""
    page.evaluate(AXE)
    found: list[str] = page.evaluate(
        """async () => (await axe.run(document, { resultTypes: ["violations"] })).violations.map((each) =>
            `${each.id}: ${each.help}: ${each.nodes.map((node) => node.target.join(" ")).join(", ")}`)"""
    )
    return found


def at_start(page: Page, shop: Shop) -> None:
    expect(page.locator("#examples-list a").first).to_be_visible()


def suggesting(page: Page, shop: Shop) -> None:
    page.locator("#words").press_sequentially("s")
    expect(page.get_by_role("option").first).to_be_visible()
    page.keyboard.press("ArrowDown")


def with_results(page: Page, shop: Shop) -> None:
    photo, product_id = query(shop)
    page.set_input_files("#file", [photo, photo])
    expect(page.locator(f'a.product[data-product-id="{product_id}"]')).to_be_visible()  # "wide" is as like to it
    page.locator("li.card").first.get_by_role("button", name="Why?").click()
    expect(page.locator(".reasons li").first).to_be_visible()
    page.locator("#freshness summary").click()


def with_items(page: Page, shop: Shop) -> None:
    photo, product_id = query(shop)
    upload(page, scene(photo))
    expect(page.locator(f'a.product[data-product-id="{product_id}"]')).to_be_visible()
    expect(page.locator("#seen-items li")).to_have_count(2)


def with_parts(page: Page, shop: Shop) -> None:
    page.goto(f"{shop.address}/#similar={shop.products[3]['product_id']}&look=colour:3")
    expect(page.get_by_role("slider", name="Colour")).to_have_value("3")


def similar(page: Page, shop: Shop) -> None:
    page.goto(f"{shop.address}/#similar={shop.products[3]['product_id']}&q=blue")
    expect(page.locator("a.product").first).to_be_visible()


def filtered(page: Page, shop: Shop) -> None:
    page.goto(f"{shop.address}/#all=yes&category=clothing&price=20..90&sort=price")
    expect(page.locator("a.product").first).to_be_visible()
    if page.locator("#filters-toggle").is_visible():
        page.locator("#filters-toggle").click()


def empty(page: Page, shop: Shop) -> None:
    page.goto(f"{shop.address}/#q=mug&brand=Nobody")
    expect(page.locator("#empty")).to_be_visible()


def failing(page: Page, shop: Shop) -> None:
    page.goto(f"{shop.address}/#similar=never-listed&brand=Nobody")
    expect(page.get_by_role("alert")).to_be_visible()


STATES = [at_start, suggesting, with_results, with_items, with_parts, similar, filtered, empty, failing]


@pytest.mark.parametrize("state", STATES, ids=lambda state: state.__name__)
def test_axe_finds_nothing(page: Page, shop: Shop, state: Callable[[Page, Shop], None]) -> None:
    state(page, shop)
    assert findings(page) == []


@pytest.mark.parametrize("state", STATES, ids=lambda state: state.__name__)
def test_axe_finds_nothing_on_a_phone_and_nothing_needs_scrolling_sideways(
    phone: Page, shop: Shop, state: Callable[[Page, Shop], None]
) -> None:
    wide = {
        **shop.products[0],
        "product_id": "wide",
        "title": "Donaudampfschifffahrtsgesellschaft" * 8,
        "brand": "Rindfleischetikettierung" * 6,
        "category": "clothing/" + "Verkehrswegebeschleunigung" * 5,
    }
    image = shop.products[0]["images"][0]
    shop.list_product(wide, (shop.sample.folder / image).as_uri(), vector_of=image)
    state(phone, shop)
    assert phone.evaluate("document.documentElement.scrollWidth") <= 360
    assert findings(phone) == []


def test_dark_page_without_motion_has_no_findings_and_keeps_still(
    browser: Browser, shop: Shop, complaints: list[str]
) -> None:
    shop.restock()
    context = browser.new_context(color_scheme="dark", reduced_motion="reduce")
    page = opened(context.new_page(), shop, complaints)
    for state in (at_start, filtered):
        state(page, shop)
        assert findings(page) == []
        assert page.evaluate("document.getAnimations().length") == 0
    assert page.evaluate("getComputedStyle(document.body).backgroundColor") == "rgb(23, 22, 20)"
    context.close()


def test_suggestions_hang_over_no_button_of_a_phone(phone: Page, shop: Shop) -> None:
    phone.locator("#words").fill("in")
    expect(phone.get_by_role("option").first).to_be_visible()
    phone.get_by_role("button", name="Search", exact=True).tap()
    expect(phone.locator("a.product").first).to_be_visible()


def test_phone_has_its_filters_behind_a_button(phone: Page, shop: Shop) -> None:
    ask_words(phone, "in")
    expect(phone.get_by_role("group", name="Brand")).to_be_hidden()
    toggle = phone.get_by_role("button", name="Filters", exact=True)
    toggle.tap()
    expect(toggle).to_have_attribute("aria-expanded", "true")
    phone.get_by_role("group", name="Brand").get_by_role("checkbox").first.tap()
    phone.get_by_role("button", name="Show", exact=False).filter(has_text="product").last.tap()
    expect(phone.get_by_role("group", name="Brand")).to_be_hidden()
    expect(phone.get_by_role("button", name="Filters (1)")).to_be_visible()
    expect(phone.locator("a.product").first).to_be_visible()


def test_keyboard_alone_goes_from_a_photo_to_similar_products_and_back(page: Page, shop: Shop) -> None:
    _, product_id = query(shop)
    focused = "document.activeElement.id || document.activeElement.className"
    order = []
    for _ in range(7):
        page.keyboard.press("Tab")
        order.append(page.evaluate(focused))
    assert order == ["skip", "home", "", "words", "choose", "go", "browse"]
    page.keyboard.press("Tab")
    assert page.evaluate("getComputedStyle(document.activeElement).outlineStyle") == "solid"
    page.keyboard.press("Enter")
    first_is(page, product_id)
    assert page.evaluate(focused) == "results-title"
    expect(page.locator("#skip-filters")).to_be_attached()
    expect(page.get_by_role("group", name="Brand")).to_be_visible()
    page.keyboard.press("Tab")
    while page.evaluate(focused) in ("seen-item", "seen-whole", "look-title"):  # what stands out, what counts
        page.keyboard.press("Tab")
    assert page.evaluate(focused) == "skip-filters"
    page.keyboard.press("Enter")
    assert page.evaluate("document.activeElement.dataset.productId") == product_id
    page.keyboard.press("Enter")
    expect(page.locator("#results-title")).to_have_text("Similar to " + _title(shop, product_id))
    page.keyboard.press("Shift+Tab")
    assert page.evaluate(focused) == "back"
    page.keyboard.press("Enter")
    expect(page.locator("#results-title")).to_have_text("Looks like this photo")


def test_keyboard_alone_asks_in_words_filters_orders_and_asks_why(page: Page, shop: Shop) -> None:
    focused = "document.activeElement.id || document.activeElement.className"

    def tab_to(wanted: str) -> None:
        for _ in range(80):
            if page.evaluate(focused) == wanted:
                return
            page.keyboard.press("Tab")
        raise AssertionError(f"no way to {wanted} by Tab")

    tab_to("words")
    page.keyboard.type("in")
    page.keyboard.press("Enter")
    expect(page.locator("#results-title")).to_be_focused()
    expect(page.locator("#results")).not_to_have_attribute("aria-busy", "true")
    for _ in range(2):  # past the link that skips the filters
        page.keyboard.press("Tab")
    page.keyboard.press("Space")
    expect(page.locator("#chosen-list li")).to_have_count(1)
    expect(page.locator("#results")).not_to_have_attribute("aria-busy", "true")
    tab_to("price-from")
    page.keyboard.type("1")
    page.keyboard.press("Enter")
    expect(page.locator("#chosen-list li")).to_have_count(2)
    tab_to("sort")
    page.keyboard.press("ArrowDown")
    expect(page.get_by_label("Sort by")).to_have_value("price")
    expect(page.locator("#results")).not_to_have_attribute("aria-busy", "true")
    tab_to("act why")
    page.keyboard.press("Enter")
    expect(page.locator(".reasons li").first).to_be_visible()
    page.locator("#clear").focus()
    page.keyboard.press("Enter")
    expect(page.locator("#results-title")).to_be_focused()


def test_number_of_filters_and_results_is_said(page: Page, shop: Shop) -> None:
    photo, _ = query(shop)
    upload(page, photo.read_bytes())
    expect(page.locator("#live")).to_have_text(f"{len(shop.products)} products found")
    page.get_by_role("group", name="Brand").get_by_role("checkbox").first.check()
    expect(page.locator("#live")).not_to_have_text(f"{len(shop.products)} products found")
    expect(page.locator("#live")).to_contain_text("found")


def _title(shop: Shop, product_id: str) -> str:
    return str(next(product["title"] for product in shop.products if product["product_id"] == product_id))
