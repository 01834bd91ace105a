"""A row of the product's table, and of the pictures' own, as what the mapping says they are."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import msgspec

from schemas.database.mapping import DatabaseMapping, Images
from schemas.database.values import attribute, is_empty, is_shown, text, version_of
from schemas.errors import RejectedError
from schemas.events.event import ImageRef, ProductAdded, ProductRemoved

Row = Mapping[str, Any]
"""Values by column, as JSON has them."""

_WHOLE_URL = re.compile(r"[A-Za-z][A-Za-z0-9+.\-]*:")


class Unavailable:
    """Stands for a long value that a change did not touch, and that the database therefore did not send."""


UNAVAILABLE = Unavailable()


@dataclass(frozen=True, slots=True)
class MappedRow:
    """`attributes`: None where the column is empty. `images`: None where the row says nothing of them.

    `version`: of the mapped column, None without one. `whole`: every mapped
    column was there; else attributes that did not change are missing.
    """

    product_id: str
    shown: bool
    attributes: dict[str, Any]
    images: list[ImageRef] | None
    version: int | None
    whole: bool = True

    def event(self, version: int | None) -> ProductAdded | ProductRemoved:
        """The product as this row has it. `version`: where no column says one."""
        version = self.version if self.version is not None else version
        if not self.shown:
            return ProductRemoved(product_id=self.product_id, version=version)
        given = {name: value for name, value in self.attributes.items() if value is not None}
        return ProductAdded(product_id=self.product_id, version=version, product=given, images=self.images)


def mapped(row: Row, mapping: DatabaseMapping) -> MappedRow:
    """Raises `RejectedError`: `unknown_column`, `no_product_id`, `unavailable`, or the field that does not fit."""
    product, shown = mapping.product, mapping.shown()
    attributes: dict[str, Any] = {}
    whole = True
    for name, column in mapping.attributes():
        value = _value(row, column.column)
        if value is UNAVAILABLE:
            whole = False
        else:
            attributes[name] = attribute(name, value, column)
    return MappedRow(
        product_id=product_id(row, product.id),
        shown=shown is None or is_shown(_sent(row, shown.column), shown),
        attributes=attributes,
        images=_images(row, mapping.images),
        version=version_of(_sent(row, product.version)) if product.version else None,
        whole=whole,
    )


def product_id(row: Row, column: str) -> str:
    """The id in that column. Raises `RejectedError('no_product_id', ...)`."""
    value = row.get(column)
    if is_empty(value) or isinstance(value, Unavailable):
        raise RejectedError(
            "no_product_id",
            f"the row has no {column}; where that is not the primary key, the table needs REPLICA IDENTITY FULL",
        )
    return text("no_product_id", value)


def image_of(row: Row, images: Images) -> ImageRef:
    """The picture that a row of the pictures' own table names. Raises `RejectedError`."""
    version = _sent(row, images.version) if images.version else None
    return image(_sent(row, images.url), images.base, version)


def image(url: Any, base: str, version: Any = None) -> ImageRef:
    """`url` with `base` before it where it is no whole one. Raises `RejectedError('image', ...)`."""
    if not isinstance(url, str) or not url.strip():
        raise RejectedError("image", f"{url!r:.60} names no picture")
    url = url.strip()
    if not _WHOLE_URL.match(url):
        if not base:
            raise RejectedError("image", f"{url[:80]} is no URL; say in the mapping what comes before it (images.base)")
        url = f"{base.rstrip('/')}/{url.lstrip('/')}"
    if not url.lower().startswith(("http:", "https:", "file:")):
        raise RejectedError("image", f"{url[:80]}: only http, https and file can be fetched")
    return ImageRef(url=url, version=None if is_empty(version) else text("image", version))


def _images(row: Row, images: Images) -> list[ImageRef] | None:
    if not images.columns:
        return None
    values = [_value(row, column) for column in images.columns]
    missing = [value is UNAVAILABLE for value in values]
    if all(missing):
        return None  # none of them changed
    if any(missing):
        raise RejectedError("unavailable", "a column of pictures was not sent; the table needs REPLICA IDENTITY FULL")
    found: dict[str, ImageRef] = {}
    for value in values:
        for each in _listed(value):
            named = image(each.get("url"), images.base, each.get("version")) if isinstance(each, dict) else None
            named = named or image(each, images.base)
            found.setdefault(named.url, named)
    return list(found.values())


def _listed(value: Any) -> list[Any]:
    """The pictures that one column names: none, one, a list, or JSON text of a list."""
    if is_empty(value):
        return []
    if isinstance(value, str) and value.lstrip().startswith("["):
        try:
            value = msgspec.json.decode(value)
        except (msgspec.MsgspecError, RecursionError) as error:
            raise RejectedError("image", f"{value[:60]} is no list of pictures ({error})") from error
    return [each for each in value if not is_empty(each)] if isinstance(value, list) else [value]


def _value(row: Row, column: str) -> Any:
    if column not in row:
        raise RejectedError(
            "unknown_column", f"the row has no {column!r}, which the mapping names; it has {', '.join(row)}"
        )
    return row[column]


def _sent(row: Row, column: str) -> Any:
    value = _value(row, column)
    if value is UNAVAILABLE:
        raise RejectedError("unavailable", f"{column} was not sent; the table needs REPLICA IDENTITY FULL")
    return value
