"""The page in a real Chromium over a real blender, real shards and the real encoder; one of each for all tests."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from playwright.sync_api import Browser, Page, sync_playwright

from tests.support.page.browser import CHROMIUM, launched, opened
from tests.support.page.shop import Shop


@pytest.fixture(scope="package")
def shop(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Shop]:
    with Shop(tmp_path_factory.mktemp("shop")) as shop:
        yield shop


@pytest.fixture(scope="package")
def browser() -> Iterator[Browser]:
    if CHROMIUM is None:
        pytest.skip("no chromium on this machine; make browser installs it")
    with sync_playwright() as playwright:
        browser = launched(playwright)
        yield browser
        browser.close()


@pytest.fixture
def complaints() -> list[str]:
    """What the browser's console complained about: scripts that failed, what the content security policy refused."""
    return []


@pytest.fixture
def page(browser: Browser, shop: Shop, complaints: list[str]) -> Iterator[Page]:
    """The page, opened; every test begins with an index in order and must end without a script error."""
    shop.restock()
    context = browser.new_context(viewport={"width": 1100, "height": 800})
    page = opened(context.new_page(), shop, complaints)
    yield page
    context.close()
    assert not [text for text in complaints if "Failed to load resource" not in text]


@pytest.fixture
def phone(browser: Browser, shop: Shop, complaints: list[str]) -> Iterator[Page]:
    """The same at a phone's width, touched."""
    shop.restock()
    context = browser.new_context(viewport={"width": 360, "height": 740}, has_touch=True, is_mobile=True)
    page = opened(context.new_page(), shop, complaints)
    yield page
    context.close()
    assert not [text for text in complaints if "Failed to load resource" not in text]
