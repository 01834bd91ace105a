"""What tests do with the page in a real browser: open it, hand photos over, look at what it shows."""

from __future__ import annotations

import base64
import io
import shutil
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

from PIL import Image
from playwright.sync_api import Browser, Page, Playwright, expect

from tests.support.page.shop import Shop

CHROMIUM = shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("google-chrome")
PATIENCE_MS = 60_000
_ARGUMENTS = [
    "--headless",
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
]


def launched(playwright: Playwright) -> Browser:
    return playwright.chromium.launch(executable_path=CHROMIUM, args=_ARGUMENTS, timeout=120_000)


def opened(page: Page, shop: Shop, complaints: list[str]) -> Page:
    expect.set_options(timeout=PATIENCE_MS)
    page.set_default_timeout(PATIENCE_MS)
    page.on("pageerror", lambda error: complaints.append(str(error)))
    page.on("console", lambda message: complaints.append(message.text) if message.type == "error" else None)
    page.goto(shop.address)
    expect(page.locator("#examples-list a").first).to_be_visible()
    return page


def query(shop: Shop, number: int = 0) -> tuple[Path, str]:
    """A shopper's photo and the product on it."""
    row = shop.queries[number]
    return shop.sample.folder / row["image"], row["product_id"]


def product(shop: Shop, product_id: str) -> dict[str, Any]:
    return next(each for each in shop.products if each["product_id"] == product_id)


def first_is(page: Page, product_id: str) -> None:
    expect(page.locator("a.product").first).to_have_attribute("data-product-id", product_id)


def hand_over(page: Page, kind: str, data: bytes, media_type: str = "image/jpeg") -> None:
    """A drop or a paste, with the events and the data that a browser gives the page for a real one."""
    page.evaluate(
        """([kind, encoded, type]) => {
            const transfer = new DataTransfer();
            const bytes = Uint8Array.from(atob(encoded), (c) => c.charCodeAt(0));
            transfer.items.add(new File([bytes], "photo", { type }));
            if (kind === "paste") {
                document.body.dispatchEvent(
                    new ClipboardEvent("paste", { clipboardData: transfer, bubbles: true, cancelable: true }));
                return;
            }
            for (const name of ["dragenter", "dragover", "drop"]) {
                document.getElementById("drop").dispatchEvent(
                    new DragEvent(name, { dataTransfer: transfer, bubbles: true, cancelable: true }));
            }
        }""",
        [kind, base64.b64encode(data).decode(), media_type],
    )


def upload(page: Page, data: bytes, media_type: str = "image/jpeg") -> None:
    page.set_input_files("#file", {"name": "photo", "mimeType": media_type, "buffer": data})


def big_photo(photo: Path, width: int = 3000) -> bytes:
    file = io.BytesIO()
    image = Image.open(photo)
    image.resize((width, width * image.height // image.width)).save(file, "JPEG", quality=90)
    return file.getvalue()


def scene(photo: Path) -> bytes:
    """The photo as one of two things on a table: to the left, and a dark one to the right."""
    table = Image.new("RGB", (800, 500), (70, 120, 200))
    with Image.open(photo) as opened:
        table.paste(opened.resize((300, 300)), (60, 100))
    table.paste((25, 25, 25), (500, 150, 700, 350))
    file = io.BytesIO()
    table.save(file, "JPEG", quality=92)
    return file.getvalue()


def ask_words(page: Page, words: str) -> None:
    """Types into the box and searches; the answer is there."""
    page.locator("#words").fill(words)
    page.get_by_role("button", name="Search", exact=True).click()
    expect(page.locator("#results")).not_to_have_attribute("aria-busy", "true")


def becomes(page: Page, read: Callable[[], Any], wanted: Any) -> None:
    """What is read of the page is soon as it should be: it shows an answer a moment after it was asked for."""
    until = time.monotonic() + 10
    while (found := read()) != wanted:
        assert time.monotonic() < until, (found, wanted)
        page.wait_for_timeout(50)


def shown_ids(page: Page) -> list[str]:
    """Ids of the products on the page, in their order."""
    found: list[str] = page.locator("a.product").evaluate_all("(links) => links.map((link) => link.dataset.productId)")
    return found
