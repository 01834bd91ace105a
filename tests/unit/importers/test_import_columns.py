"""Column names are tolerant, numbers are not: what is no number is refused."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from cli.importers.columns import NAMES, amount, is_image_column, meanings, plain, share, whole_number
from schemas.errors import RejectedError


@pytest.mark.parametrize(
    ("text", "price", "currency"),
    [
        ("59.90", 59.9, None),
        ("59,90", 59.9, None),
        ("59,90 €", 59.9, "€"),
        ("$1,299.00", 1299.0, "$"),
        ("1.299,00 EUR", 1299.0, "EUR"),
        ("1,299", 1299.0, None),
        ("1.299", 1.299, None),
        ("1'299.50", 1299.5, None),
        ("1 299,50", 1299.5, None),
        ("1,299,000", 1299000.0, None),
        ("1.299.000", 1299000.0, None),
        ("0", 0.0, None),
        (".5", 0.5, None),
        (12, 12.0, None),
    ],
)
def test_prices_are_read_as_shops_write_them(text: object, price: float, currency: str | None) -> None:
    assert amount(text) == (price, currency)


@pytest.mark.parametrize(
    "text", ["free", "12-34", "1,2,3.4.5", "€", "", "59 90 to 70", "nan", True, [5], "--5", 10**400, float("nan")]
)
def test_what_is_no_price_is_refused(text: object) -> None:
    with pytest.raises(RejectedError) as refusal:
        amount(text)
    assert refusal.value.reason == "price"


@pytest.mark.parametrize(("text", "number"), [("1200", 1200), ("1,200", 1200), ("1200.0", 1200), (7, 7), (7.0, 7)])
def test_whole_numbers_are_read(text: object, number: int) -> None:
    assert whole_number(text, "sales") == number


@pytest.mark.parametrize("text", ["12.5", "many", "12,5", True, float("nan"), float("inf"), [1]])
def test_what_is_no_whole_number_is_refused(text: object) -> None:
    with pytest.raises(RejectedError) as refusal:
        whole_number(text, "sales")
    assert refusal.value.reason == "sales"


def test_praise_may_be_written_in_per_cent() -> None:
    assert share("96 %") == pytest.approx(0.96)
    assert share("0,96") == pytest.approx(0.96)
    with pytest.raises(RejectedError):
        share("very good")


def test_a_column_is_known_under_its_usual_names() -> None:
    found = meanings(["SKU", "Product Title", "Product-Type", "Vendor", "Color", "Unit price", "units_sold", "EAN"])
    assert found == {
        "product_id": "SKU",
        "title": "Product Title",
        "category": "Product-Type",
        "brand": "Vendor",
        "colour": "Color",
        "price": "Unit price",
        "sales": "units_sold",
    }


def test_the_better_name_wins() -> None:
    assert meanings(["id", "product_id"])["product_id"] == "product_id"


@pytest.mark.parametrize(
    "name",
    ["image", "images", "Image URL", "image_link", "additional_image_link", "picture1", "photo_2_url", "img-src"],
)
def test_image_columns_are_recognised(name: str) -> None:
    assert is_image_column(name)


@pytest.mark.parametrize("name", ["imagery", "image_alt_text", "photographer", "picture_count", "pic"])
def test_other_columns_are_no_image_columns(name: str) -> None:
    assert not is_image_column(name)


def test_the_documented_names_are_the_accepted_ones() -> None:
    document = (Path(__file__).parents[3] / "docs" / "events.md").read_text()
    rows = re.findall(r"^\| `(\w+)` \| ([^|;]+)", document, re.MULTILINE)
    documented = {meaning: tuple(plain(name) for name in names.strip().split(", ")) for meaning, names in rows}
    assert {meaning: documented[meaning] for meaning in NAMES} == NAMES
