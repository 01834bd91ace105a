"""The page asked in words, with suggestions; with several photos, a product and words together; by its address."""

from __future__ import annotations

import json
import re
from collections import Counter
from typing import Any

import pytest
from playwright.sync_api import Page, Route, expect

from tests.support.page.browser import ask_words, becomes, first_is, query, shown_ids, upload
from tests.support.page.shop import Shop


def having(shop: Shop, word: str) -> set[str]:
    texts = ("title", "brand", "category", "colour")
    return {
        product["product_id"]
        for product in shop.products
        if re.search(rf"\b{word}", " ".join(product[text] for text in texts), re.IGNORECASE)
    }


def test_words_find_the_products_that_have_them(page: Page, shop: Shop) -> None:
    wanted = having(shop, "dress")
    ask_words(page, "dress")
    expect(page.locator("#results-title")).to_have_text("“dress”")
    expect(page.locator("a.product")).to_have_count(len(wanted))
    assert set(shown_ids(page)) == wanted
    expect(page.locator("#shown")).to_have_text(re.compile(rf"^All {len(wanted)} products? shown$"))
    expect(page.locator("#live")).to_have_text(re.compile(rf"{len(wanted)} products? found"))
    assert page.locator(".score").count() == 0, "likeness of what was asked for in words alone"


def test_typo_is_told_with_what_was_searched_for(page: Page) -> None:
    ask_words(page, "teapto ")
    expect(page.locator("#understood")).to_have_text("No product has “teapto”: searched for “teapot” instead.")
    expect(page.locator("a.product").first).to_contain_text("teapot")


def test_suggestion_is_chosen_by_the_keyboard(page: Page, shop: Shop) -> None:
    box = page.get_by_role("combobox", name="Words to search for")
    box.press_sequentially("tea")
    option = page.get_by_role("option").first
    expect(option).to_be_visible()
    expect(box).to_have_attribute("aria-expanded", "true")
    page.keyboard.press("ArrowDown")
    expect(option).to_have_attribute("aria-selected", "true")
    expect(box).to_have_attribute("aria-activedescendant", option.get_attribute("id") or "")
    text = option.get_attribute("data-text") or ""
    assert text.startswith("tea")
    page.keyboard.press("Enter")
    expect(page.locator("#results-title")).to_have_text(f"“{text}”")
    expect(box).to_have_value(text)
    expect(box).to_have_attribute("aria-expanded", "false")
    expect(page.locator("a.product")).to_have_count(len(having(shop, text)))


def test_marked_suggestion_stays_marked_when_more_is_typed(page: Page) -> None:
    box = page.get_by_role("combobox", name="Words to search for")
    box.press_sequentially("teap")
    option = page.get_by_role("option").first
    expect(option).to_be_visible()
    page.keyboard.press("ArrowDown")
    text = option.get_attribute("data-text") or ""
    assert text == "teapot"
    with page.expect_response(lambda answer: "/v1/suggest" in answer.url):
        box.press_sequentially("o")
    expect(page.locator("#suggestions [aria-selected=true]")).to_have_attribute("data-text", text)
    expect(box).to_have_attribute("aria-activedescendant", "suggestion-0")


def test_suggested_brand_is_chosen_as_a_filter(page: Page, shop: Shop) -> None:
    (brand, count), *_ = Counter(product["brand"] for product in shop.products).most_common(1)
    page.get_by_role("combobox", name="Words to search for").press_sequentially(brand[:4].lower())
    page.get_by_role("option", name=re.compile(rf"^{brand}\W+Brand\b")).click()
    expect(page.get_by_role("button", name=f"Remove the filter Brand: {brand}")).to_be_visible()
    expect(page.locator("#words")).to_have_value("")
    expect(page.locator("a.product")).to_have_count(min(24, count))


def test_suggestions_close_by_escape_and_go_round_by_arrows(page: Page) -> None:
    box = page.get_by_role("combobox", name="Words to search for")
    box.press_sequentially("s")
    options = page.get_by_role("option")
    expect(options.first).to_be_visible()
    page.keyboard.press("ArrowUp")
    expect(options.last).to_have_attribute("aria-selected", "true")
    page.keyboard.press("ArrowDown")
    expect(page.locator("[role=option][aria-selected=true]")).to_have_count(0)
    page.keyboard.press("Escape")
    expect(page.locator("#suggestions")).to_be_hidden()
    expect(box).to_have_value("s")
    page.keyboard.press("ArrowDown")
    expect(options.first).to_be_visible()
    page.locator("#home").focus()
    expect(page.locator("#suggestions")).to_be_hidden()


def test_suggestions_wait_until_the_typing_rests(page: Page) -> None:
    asked: list[str] = []
    page.on("request", lambda request: asked.append(request.url) if "/v1/suggest" in request.url else None)
    page.evaluate("""() => {
        const box = document.getElementById("words");
        box.focus();
        for (const letter of "teapo") {
            box.value += letter;
            box.dispatchEvent(new Event("input", { bubbles: true }));
        }
    }""")
    expect(page.get_by_role("option").first).to_be_visible()
    assert [url.partition("?")[2] for url in asked] == ["q=teapo&limit=8"]


def test_several_photos_are_one_question_and_each_can_be_taken_away(page: Page, shop: Shop) -> None:
    (one, one_id), (other, other_id) = query(shop), query(shop, 1)
    with page.expect_request("**/v1/search") as asked:
        page.set_input_files("#file", [one, other])
    assert len(json.loads(asked.value.post_data or "")["images"]) == 2
    expect(page.locator("#results-title")).to_have_text("Looks like 2 photos")
    expect(page.locator("#asked li")).to_have_count(2)
    expect(page.locator("a.product").first).to_be_visible()
    # Both are far above what resembles neither.
    assert {one_id, other_id} & set(shown_ids(page)[:2])
    page.get_by_role("button", name="Remove Your photo 1").click()
    expect(page.locator("#asked li")).to_have_count(1)
    first_is(page, other_id)
    assert page.evaluate("document.activeElement.id") == "words"
    page.go_back()
    expect(page.locator("#asked li")).to_have_count(2)


def test_photo_beyond_eight_is_refused_with_what_to_do(page: Page, shop: Shop) -> None:
    photo, _ = query(shop)
    page.set_input_files("#file", [photo] * 9)
    expect(page.get_by_role("alert")).to_contain_text("8 can be searched with at a time")


def test_photo_and_words_are_asked_together(page: Page, shop: Shop) -> None:
    photo, product_id = query(shop)
    upload(page, photo.read_bytes())
    first_is(page, product_id)
    with page.expect_request("**/v1/search") as asked:
        ask_words(page, "red")
    body = json.loads(asked.value.post_data or "")
    assert (body["text"], len(body["images"])) == ("red", 1)
    expect(page.locator("#results-title")).to_have_text("Looks like your photo, and “red”")
    expect(page.locator("a.product").first).to_be_visible()


def test_like_this_but_takes_a_product_and_words(page: Page, shop: Shop) -> None:
    page.goto(f"{shop.address}/#all=yes")
    card = page.locator("li.card").nth(1)
    product_id = card.locator("a.product").get_attribute("data-product-id")
    title = next(each["title"] for each in shop.products if each["product_id"] == product_id)
    card.get_by_role("button", name="Like this, but").click()
    expect(page.locator("#results-title")).to_have_text(f"Similar to {title}")
    expect(page.locator("#asked")).to_contain_text(title)
    assert page.evaluate("document.activeElement.id") == "words"
    with page.expect_request("**/v1/search") as asked:
        page.keyboard.type("blue")
        page.keyboard.press("Enter")
    body: dict[str, Any] = json.loads(asked.value.post_data or "")
    assert (body["products"], body["text"]) == ([product_id], "blue")
    expect(page.locator("#results-title")).to_have_text(f"Similar to {title}, but “blue”")
    expect(page.locator("a.product").first).to_contain_text("blue")
    assert product_id not in shown_ids(page)


def test_like_this_shows_what_resembles_a_product_found_by_words(page: Page) -> None:
    ask_words(page, "mug")
    page.locator("a.act", has_text="Like this").first.click()
    expect(page.locator("#results-title")).to_have_text(re.compile("^Similar to "))
    expect(page.locator(".score").first).to_be_visible()


def test_products_of_one_picture_stand_under_the_first_of_them(page: Page, shop: Shop) -> None:
    sold = shop.products[0]
    for number, price in ((1, 5.0), (2, 7.0)):
        again = {**sold, "product_id": f"again{number}", "title": f"Sold again {number}", "price": price}
        shop.list_product(again, f"https://elsewhere.example/{number}.jpg", sold["images"][0])
    page.route("**/v1/search", _merged)
    page.goto(f"{shop.address}/#similar={sold['product_id']}")
    first = page.locator("a.product").first
    expect(first).to_have_attribute("data-product-id", re.compile("^again[12]$"))
    # Their vectors are the same but for the last bits, which say which of them stands for both.
    one, other, price = ("1", "2", "7.00") if first.get_attribute("data-product-id") == "again1" else ("2", "1", "5.00")
    card = page.locator("li.card").first
    also = card.locator("details.also summary")
    expect(also).to_have_text(re.compile(rf"^Also at 1 seller \(Sold again {one}\)$"))
    also.focus()
    page.keyboard.press("Enter")
    link = card.get_by_role("link", name=f"Sold again {other}")
    expect(link).to_be_visible()
    expect(card.locator("details.also")).to_contain_text(price)
    page.keyboard.press("Tab")
    expect(link).to_be_focused()
    page.keyboard.press("Enter")
    expect(page.locator("#results-title")).to_have_text(f"Similar to Sold again {other}")


def _merged(route: Route) -> None:
    """The page's question as a shop's that merges doubles."""
    route.continue_(post_data=json.dumps({**json.loads(route.request.post_data or "{}"), "doubles": "merge"}))


def test_address_restores_the_whole_question(page: Page, shop: Shop) -> None:
    brand, _ = Counter(product["brand"] for product in shop.products).most_common(1)[0]
    of_brand = [product for product in shop.products if product["brand"] == brand]
    dearest_first = sorted(of_brand, key=lambda product: (-product["price"], product["product_id"]))
    wanted = [product["product_id"] for product in dearest_first]
    ask_words(page, "in")
    page.get_by_role("group", name="Brand").get_by_role("checkbox", name=brand).check()
    page.get_by_label("Sort by").select_option("-price")
    becomes(page, lambda: shown_ids(page), wanted)
    address = page.url
    page.goto("about:blank")
    page.goto(address)
    becomes(page, lambda: shown_ids(page), wanted)
    expect(page.locator("#words")).to_have_value("in")
    expect(page.get_by_role("checkbox", name=brand)).to_be_checked()
    expect(page.get_by_label("Sort by")).to_have_value("-price")


def test_back_and_forward_go_through_questions(page: Page) -> None:
    ask_words(page, "mug")
    expect(page.locator("#results-title")).to_have_text("“mug”")
    ask_words(page, "boot")
    expect(page.locator("#results-title")).to_have_text("“boot”")
    page.go_back()
    expect(page.locator("#results-title")).to_have_text("“mug”")
    expect(page.locator("#words")).to_have_value("mug")
    page.go_forward()
    expect(page.locator("#results-title")).to_have_text("“boot”")


def test_photos_are_not_in_the_address_and_their_loss_is_told(page: Page, shop: Shop) -> None:
    photo, product_id = query(shop)
    upload(page, photo.read_bytes())
    first_is(page, product_id)
    assert "photo" not in page.url
    page.reload()
    expect(page.get_by_role("alert")).to_contain_text("no longer here")


def test_why_lists_how_a_score_came_about(page: Page, shop: Shop) -> None:
    photo, product_id = query(shop)
    upload(page, photo.read_bytes())
    first_is(page, product_id)
    ask_words(page, "in")
    expect(page.locator("#results-title")).to_contain_text("and “in”")
    expect(page.locator("#results")).not_to_have_attribute("aria-busy", "true")
    asked: list[str] = []
    page.on("request", lambda request: asked.append(request.post_data or "") if "/v1/search" in request.url else None)
    cards = page.locator("li.card")
    for number in (0, 1):
        cards.nth(number).get_by_role("button", name="Why?").click()
        expect(cards.nth(number).locator(".reasons li").first).to_be_visible()
    why = page.locator(f"li.card:has([data-product-id='{shown_ids(page)[0]}']) .reasons")
    expect(why).to_contain_text(re.compile(r"Looks \d+ % alike: number \d+ by look"))
    expect(why).to_contain_text(re.compile(r"Has the words, .* points: number \d+ by words"))
    expect(why).to_contain_text("How it was searched")
    assert len(asked) == 1, "one answer explains a whole page"
    assert json.loads(asked[0])["explain"] is True
    cards.nth(0).get_by_role("button", name="Why?").click()
    expect(why).to_have_count(0)


@pytest.mark.parametrize(
    ("hash_", "words", "remedy"),
    [
        ("#q=zzzzzz", "Nothing in the catalogue fits “zzzzzz”", None),
        ("#q=mug&brand=Nobody", "Nothing passes all of these filters", "Clear the filters"),
    ],
)
def test_empty_answer_says_what_to_do(page: Page, shop: Shop, hash_: str, words: str, remedy: str | None) -> None:
    page.goto(f"{shop.address}/{hash_}")
    expect(page.locator("#empty")).to_contain_text(words)
    if remedy:
        page.locator("#empty").get_by_role("button", name=remedy).click()
        expect(page.locator("a.product").first).to_be_visible()


def test_refusals_of_the_interface_are_told_in_words(page: Page) -> None:
    refusal = {"error": {"reason": "too_many_requests", "detail": "5 a second"}}
    page.route("**/v1/search", lambda route: route.fulfill(status=429, json=refusal))
    ask_words(page, "mug")
    expect(page.get_by_role("alert")).to_contain_text("more than this shop allows")
    page.unroute("**/v1/search")
    page.get_by_role("button", name="Try again").click()
    expect(page.locator("a.product").first).to_be_visible()


@pytest.mark.parametrize(("matches", "told"), [(0, "No product has these words;"), (3, "or look as they sound")])
def test_products_that_only_look_as_the_words_sound_are_not_said_to_have_them(
    page: Page, matches: int, told: str
) -> None:
    def by_meaning(route: Route) -> None:
        answer = route.fetch()
        route.fulfill(response=answer, json={**answer.json(), "match": "any", "by_meaning": True, "matches": matches})

    page.route("**/v1/search", by_meaning)
    ask_words(page, "boot mug")
    expect(page.locator("#understood")).to_contain_text(told)
    expect(page.locator("#counted")).to_contain_text("of these words" if matches else "not counted here")
