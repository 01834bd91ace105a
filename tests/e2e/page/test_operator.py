"""The operator's view in a browser: the search log's figures as tables, for everybody's eyes and on a phone."""

from __future__ import annotations

from playwright.sync_api import Page, expect

from tests.e2e.page.test_access import findings
from tests.support.page.shop import Shop


def cells(page: Page, day: str) -> dict[str, str]:
    """The day's figures by the heading of their column."""
    headings = page.locator("#figures thead th").all_inner_texts()
    row = page.locator("#figures tbody tr").filter(has=page.get_by_role("rowheader", name=day))
    return dict(zip(headings, row.locator("th, td").all_inner_texts(), strict=True))


def test_figures_of_the_search_log_stand_in_tables(page: Page, shop: Shop) -> None:
    page.goto(f"{shop.address}/operator.html")
    expect(page.locator("#figures tbody tr")).to_have_count(7)
    days = page.locator("#figures tbody th").all_inner_texts()
    assert days == sorted(days, reverse=True)
    figures = cells(page, days[3])
    wanted = {"Searches": "4", "Clicks": "2", "CTR": "50.0 %", "MRR": "0.750", "Without a result": "25.0 %"}
    assert {name: figures[name] for name in wanted} == wanted
    assert cells(page, days[0])["CTR"] == "none"
    asked = page.locator("#asked-words tbody tr").filter(has_text=days[3])
    expect(asked).to_contain_text("red boot (2)")
    expect(asked.locator("td").nth(1)).to_have_text("zebra (1)")
    expect(page.locator("#remarks")).to_contain_text("1 click on what the answer had not shown")
    searchers = page.locator("#recall tbody tr")
    expect(searchers).to_have_count(len(page.request.get(f"{shop.address}/v1/index").json()["shards"]))
    expect(searchers.first).to_contain_text("0, replica 0")
    page.get_by_label("Days").select_option("14")
    page.get_by_role("button", name="Show").click()
    expect(page.locator("#figures tbody tr")).to_have_count(14)
    assert findings(page) == []


def test_phone_scrolls_the_tables_and_not_the_page(phone: Page, shop: Shop) -> None:
    phone.goto(f"{shop.address}/operator.html")
    expect(phone.locator("#figures tbody tr")).to_have_count(7)
    assert phone.evaluate("document.documentElement.scrollWidth") <= 360
    assert phone.evaluate("(box => box.scrollWidth > box.clientWidth)(document.getElementById('figures'))")
    assert findings(phone) == []


def test_refusals_are_told_with_what_to_do(page: Page, shop: Shop, complaints: list[str]) -> None:
    answers = iter([(404, "search_log_off"), (401, "key_missing"), (403, "role_missing")])

    def refuse(route: object, request: object) -> None:
        status, reason = next(answers)
        body = {"error": {"reason": reason, "detail": f"told of {reason}"}}
        route.fulfill(status=status, json=body)  # type: ignore[attr-defined]

    page.route("**/v1/report*", refuse)
    page.goto(f"{shop.address}/operator.html")
    expect(page.get_by_role("alert")).to_contain_text("VITRINE_SEARCH_LOG=true")
    expect(page.get_by_label("Key of the role")).to_be_hidden()
    page.get_by_role("button", name="Show").click()
    expect(page.get_by_role("alert")).to_contain_text("a key of the role operate")
    page.get_by_label("Key of the role").fill("vtr_secret")
    with page.expect_request("**/v1/report*") as sent:
        page.keyboard.press("Enter")
    assert sent.value.headers["authorization"] == "Bearer vtr_secret"
    expect(page.get_by_role("alert")).to_have_text("told of role_missing")
    page.unroute("**/v1/report*")
    page.get_by_role("button", name="Show").click()
    expect(page.locator("#figures tbody tr")).to_have_count(7)
    expect(page.get_by_role("alert")).to_be_hidden()
