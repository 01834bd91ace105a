"""The mapping file (TOML): which tables and columns of a shop's database are which fields of its products.

`docs/events.md`, "A shop's database", shows one. Both doors read it: the
import from the database itself, and Debezium's change events.
"""

from __future__ import annotations

import tomllib
from collections.abc import Collection, Iterator
from pathlib import Path
from typing import Annotated

import msgspec
from msgspec import Meta

from schemas.errors import OperatorError

Name = Annotated[str, Meta(min_length=1)]
"""Of a table or column, as the database writes it: case counts."""


class Column(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """`factor`: what a number is multiplied by (0.01 makes cents a price). `json`: text that holds JSON."""

    column: Name
    factor: float = 1.0
    json: bool = False


class Shown(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """The column that says whether shoppers may find a product; any other value takes it down.

    `values`: those with which it is shown; `empty`: it is shown while the column
    is empty, as with `deleted_at`; neither: while the column is true, or a number but 0.
    """

    column: Name
    values: list[str | int | bool] = []
    empty: bool = False


class ProductTable(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """The table with one row a product: `table` or `schema.table`; a view will do for imports.

    `version`: a column that grows with every change, a whole number or a time;
    empty: the moment at which the database took the change. `attributes`: by
    the name that the attribute gets.
    """

    table: Name
    id: Name
    shown: Name | Shown | None = None
    version: str = ""
    attributes: dict[str, Name | Column] = {}


class Images(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Where a product's pictures are named: in columns of its row, or in a table with a row for each.

    `columns`: each holds a URL, an array of them, or JSON of one. `table`,
    `product`, `url`, `version`, `order`: the other table, its columns with the
    product's id, the URL, what changes with the bytes behind it, and the order.
    `base`: put before what is no whole URL.
    """

    columns: list[Name] = []
    base: str = ""
    table: str = ""
    product: str = ""
    url: str = ""
    version: str = ""
    order: str = ""


class DatabaseMapping(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A whole mapping file."""

    product: ProductTable
    images: Images = Images()

    def attributes(self) -> Iterator[tuple[str, Column]]:
        """Name of each attribute, and its column."""
        for name, column in self.product.attributes.items():
            yield name, column if isinstance(column, Column) else Column(column=column)

    def shown(self) -> Shown | None:
        shown = self.product.shown
        return Shown(column=shown) if isinstance(shown, str) else shown

    def product_columns(self) -> dict[str, str]:
        """Every column of the product's table that is read, and where the file names it."""
        product, shown = self.product, self.shown()
        named = {product.id: "product.id"}
        if shown is not None:
            named.setdefault(shown.column, "product.shown")
        if product.version:
            named.setdefault(product.version, "product.version")
        for name, column in self.attributes():
            named.setdefault(column.column, f"product.attributes.{name}")
        for each in self.images.columns:
            named.setdefault(each, "images.columns")
        return named

    def image_columns(self) -> dict[str, str]:
        """The same of the pictures' own table; empty where there is none."""
        images = self.images
        if not images.table:
            return {}
        fields = ("product", "url", "version", "order")
        return {getattr(images, field): f"images.{field}" for field in fields if getattr(images, field)}


def read_mapping(file: str) -> DatabaseMapping:
    """Reads and checks the file that `database_mapping` names. Raises `OperatorError` saying what is wrong in it."""
    if not file:
        raise OperatorError(
            "nothing says what the database's columns mean: name a mapping file in VITRINE_DATABASE_MAPPING "
            "(docs/events.md shows one)"
        )
    try:
        mapping = msgspec.convert(tomllib.loads(Path(file).read_text(encoding="utf-8")), DatabaseMapping)
    except OSError as error:
        raise OperatorError(f"database_mapping: {file} cannot be read ({error.strerror}); mend the setting") from error
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise OperatorError(f"{file} is not TOML: {error}; mend it") from error
    except msgspec.ValidationError as error:
        raise OperatorError(f"{file} is no mapping: {error}; there are {_fields()}") from error
    if problem := _problem(mapping):
        raise OperatorError(f"{file} is no mapping: {problem}")
    return mapping


def check_columns(file: str, table: str, wanted: dict[str, str], there: Collection[str]) -> None:
    """That a table has the columns that the file names. Raises `OperatorError` naming those that there are."""
    for column, where in wanted.items():
        if column not in there:
            raise OperatorError(f"{file}: {where} is {column!r}, and {table} has {', '.join(there)}; name one of these")


def _problem(mapping: DatabaseMapping) -> str:
    """What the types cannot say; empty where nothing is wrong."""
    images, shown = mapping.images, mapping.shown()
    if images.table and images.columns:
        return "pictures are in images.columns or in images.table; leave one out"
    if images.table and not (images.product and images.url):
        return "images.table needs images.product, its column of the product's id, and images.url"
    if not images.table and (images.product or images.url or images.version or images.order):
        return "images.product, url, version and order are columns of images.table: name it"
    if shown is not None and shown.values and shown.empty:
        return "product.shown goes by values or by empty; leave one out"
    for table in (mapping.product.table, images.table):
        if table.count(".") > 1:
            return f"{table!r} is no table; write it as products, or shop.products with its schema"
    if not all(mapping.product.attributes):
        return "an attribute in product.attributes has no name"
    return ""


def _fields() -> str:
    kinds = (("product", ProductTable), ("images", Images), ("a column as a table", Column), ("shown", Shown))
    return "; ".join(f"{name}: {', '.join(kind.__struct_fields__)}" for name, kind in kinds)
