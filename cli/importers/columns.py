"""Which column means what, and how its text is read.

Names are compared without case, spaces, hyphens and underscores: `Product ID`,
`product_id` and `productId` are one. Of several names for one meaning the
first in the list below that the catalogue has is taken; every other column is
kept as an attribute under its own name.
"""

from __future__ import annotations

import math
import re
from collections.abc import Iterable
from typing import Any

from schemas.errors import RejectedError

NAMES: dict[str, tuple[str, ...]] = {
    "product_id": ("productid", "id", "sku", "articleid", "article", "itemid", "asin", "handle"),
    "version": ("version",),
    "title": ("title", "name", "productname", "producttitle", "productdisplayname", "displayname"),
    "category": ("category", "categorypath", "categories", "producttype", "googleproductcategory", "department"),
    "brand": ("brand", "brandname", "manufacturer", "vendor", "maker"),
    "colour": ("colour", "color", "basecolour", "basecolor"),
    "price": ("price", "unitprice", "priceamount"),
    "sales": ("sales", "salescount", "sold", "unitssold"),
    "praise": ("praise", "praiseshare", "positiveshare"),
}
"""Meaning -> accepted names, the better one first."""

_IMAGE = re.compile(
    r"(additional)?(product)?(image|img|picture|photo)s?(url|urls|link|links|path|paths|file|files|src)?\d*"
)


def is_image_column(name: str) -> bool:
    """`image`, `images`, `image_url`, `image_link`, `picture1`, `additional image link`, `photo_2_url`, ..."""
    return _IMAGE.fullmatch(re.sub(r"\d+", "", plain(name))) is not None


def plain(name: str) -> str:
    """A column's name as it is compared."""
    return re.sub(r"[\s_\-]+", "", name).lower()


def meanings(names: Iterable[str]) -> dict[str, str]:
    """Meaning -> the name of the column that carries it; image columns are not in it."""
    by_plain: dict[str, str] = {}
    for name in names:
        by_plain.setdefault(plain(name), name)
    return {
        meaning: by_plain[next(other for other in accepted if other in by_plain)]
        for meaning, accepted in NAMES.items()
        if any(other in by_plain for other in accepted)
    }


_AMOUNT = re.compile(
    r"(?:(?P<before>[^\d\s.,+-]{1,4})\s*)?(?P<number>[+-]?[\d.,'\s ]*\d)(?:\s*(?P<after>[^\d\s.,+-]{1,4}))?"
)


_SEPARATOR = r"[.,'\s]"
_GROUPED = re.compile(rf"[+-]?(\d*|\d{{1,3}}({_SEPARATOR})\d{{3}}(\2\d{{3}})*)")
"""The whole part: digits, or groups of three with one separator throughout."""


def amount(value: Any) -> tuple[float, str | None]:
    """A price and its currency, when the text names one: 59.9, "59,90 €", "$1,299.00", "1.299,00 EUR".

    A single comma is a decimal comma unless exactly three digits follow it; a
    single point is always a decimal point. Raises `RejectedError('price', ...)`.
    """
    if isinstance(value, int | float) and not isinstance(value, bool):
        return _finite(value, value), None
    match = _AMOUNT.fullmatch(value.strip()) if isinstance(value, str) else None
    if match is None:
        raise RejectedError("price", f"{_shown(value)} is no price; write it as 59.90")
    text = match["number"]
    point, comma = text.rfind("."), text.rfind(",")
    if comma > point:
        decimal = "," if point >= 0 or (text.count(",") == 1 and len(text) - comma != 4) else ""
    else:
        decimal = "." if text.count(".") == 1 else ""
    whole, _, fraction = text.rpartition(decimal) if decimal else (text, "", "")
    if not _GROUPED.fullmatch(whole) or (decimal and not fraction.isdigit()):
        raise RejectedError("price", f"{_shown(value)} is no price; write it as 59.90")
    number = float(f"{re.sub(_SEPARATOR, '', whole)}.{fraction or 0}")
    return _finite(number, value), match["before"] or match["after"]


def _finite(number: float, value: Any) -> float:
    # A whole number of JSON may be too large for a float.
    if abs(number) > 1e15 or math.isnan(number):
        raise RejectedError("price", f"{_shown(value)} is no price; write it as 59.90")
    return float(number)


def whole_number(value: Any, column: str) -> int:
    """Sales and versions: 1200, "1200", "1,200", 1200.0. Raises `RejectedError(column, ...)`."""
    if isinstance(value, int) and not isinstance(value, bool):
        return value
    text = str(value).strip() if isinstance(value, str | float) else ""
    if re.fullmatch(r"-?\d{1,3}([,.' ]\d{3})+", text):
        text = re.sub(r"[,.' ]", "", text)
    if match := re.fullmatch(r"(-?\d{1,30})(\.0*)?", text):
        return int(match[1])
    raise RejectedError(column, f"{_shown(value)} is no whole number")


def share(value: Any) -> float:
    """Praise: a share from 0 to 1, or text with a percent sign. Raises `RejectedError('praise', ...)`."""
    if isinstance(value, int | float) and not isinstance(value, bool):
        return float(value)
    text = value.strip() if isinstance(value, str) else ""
    if match := re.fullmatch(r"(\d{1,3}(?:[.,]\d+)?)\s*(%?)", text):
        number = float(match[1].replace(",", "."))
        return number / 100 if match[2] else number
    raise RejectedError("praise", f"{_shown(value)} is no share from 0 to 1 (or per cent)")


def _shown(value: Any) -> str:
    text = repr(value)
    return text if len(text) <= 60 else text[:57] + "..."
