"""Products out of a PostgreSQL, by the mapping: one statement, a few thousand rows in memory at a time."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from cli.importers.plain import plain_value
from cli.importers.rows import Refusal
from schemas.database.mapping import DatabaseMapping, check_columns
from schemas.database.rows import image, mapped
from schemas.errors import OperatorError, RejectedError
from schemas.events.event import ImageRef, ProductAdded, ProductRemoved, check_event

if TYPE_CHECKING:
    from psycopg import sql

    from cli.importers.database.connection import Connection

ROWS_AT_A_TIME = 2000
LATE_US = 60_000_000
"""A change that another transaction was about to commit at the moment of reading may bear an earlier time than that.

By so much the version of an import is older than its moment, so that such a
change, which change events bring later, is not taken for an old one.
"""


class DatabaseReader:
    """`file`: the mapping's, for errors. Raises `OperatorError` where the database has not what the mapping names."""

    def __init__(self, connection: Connection, mapping: DatabaseMapping, file: str) -> None:
        self._connection = connection
        self._mapping = mapping
        self._check(file, mapping.product.table, mapping.product_columns())
        if mapping.images.table:
            self._check(file, mapping.images.table, mapping.image_columns())
        self._version = int(self._one("SELECT (extract(epoch FROM now()) * 1000000)::bigint")) - LATE_US

    def count(self) -> int:
        """Rows of the product's table."""
        from psycopg import sql

        return int(self._one(sql.SQL("SELECT count(*) FROM {}").format(self._table())))

    def check_ids(self) -> None:
        """That no two rows are of one product. Raises `OperatorError`."""
        from psycopg import sql

        product = self._mapping.product
        query = sql.SQL("SELECT {id} FROM {table} WHERE {id} IS NOT NULL GROUP BY {id} HAVING count(*) > 1 LIMIT 1")
        twice = self._one(query.format(id=sql.Identifier(product.id), table=self._table()))
        if twice is not None:
            raise OperatorError(
                f"{product.table} has several rows with {product.id} = {plain_value(twice)!r}, and a product is one "
                "row: name a view that has one for each, or another column as product.id"
            )

    def events(self) -> Iterator[ProductAdded | ProductRemoved | Refusal]:
        """Every row as the event that it comes to; in no order."""
        columns = list(self._mapping.product_columns())
        key = self._mapping.product.id
        with self._connection.cursor(name="vitrine_import") as cursor:
            cursor.itersize = ROWS_AT_A_TIME
            cursor.execute(self._query(columns))
            for number, values in enumerate(cursor, 1):
                row = {name: plain_value(value) for name, value in zip(columns, values, strict=False)}
                try:
                    product = mapped(row, self._mapping)
                    if self._mapping.images.table:
                        urls, versions = values[len(columns) :]
                        product = replace(product, images=self._images(urls or [], versions or []))
                    event = product.event(self._version)
                    check_event(event)
                except RejectedError as error:
                    yield Refusal(f"row {number}, {key} {row[key]!r}", error.reason, error.detail)
                else:
                    yield event

    def _images(self, urls: list[Any], versions: list[Any]) -> list[ImageRef]:
        base = self._mapping.images.base
        found = [image(url, base, version) for url, version in zip(urls, versions, strict=True)]
        return list({each.url: each for each in found}.values())

    def _query(self, columns: list[str]) -> sql.Composed:
        """The row's columns; where pictures have a table of their own, arrays of their URLs and versions after them."""
        from psycopg import sql

        chosen = sql.SQL(", ").join(sql.Identifier("p", name) for name in columns)
        images = self._mapping.images
        if not images.table:
            return sql.SQL("SELECT {} FROM {} AS p").format(chosen, self._table())
        order = sql.Identifier(images.order or images.url)
        version = (
            sql.SQL("{}::text").format(sql.Identifier(images.version)) if images.version else sql.SQL("NULL::text")
        )
        return sql.SQL(
            "SELECT {chosen}, i.urls, i.versions FROM {table} AS p LEFT JOIN ("
            "SELECT {product} AS product, array_agg({url} ORDER BY {order}) AS urls,"
            " array_agg({version} ORDER BY {order}) AS versions FROM {images} GROUP BY {product}"
            ") AS i ON i.product = p.{id}"
        ).format(
            chosen=chosen,
            table=self._table(),
            product=sql.Identifier(images.product),
            url=sql.Identifier(images.url),
            order=order,
            version=version,
            images=sql.Identifier(*images.table.split(".")),
            id=sql.Identifier(self._mapping.product.id),
        )

    def _check(self, file: str, table: str, wanted: dict[str, str]) -> None:
        from psycopg import sql

        name = sql.Identifier(*table.split("."))
        if self._one("SELECT to_regclass(%s)::text", (name.as_string(self._connection),)) is None:
            there = self._one(
                "SELECT string_agg(table_schema || '.' || table_name, ', ' ORDER BY 1) FROM information_schema.tables "
                "WHERE table_schema NOT IN ('pg_catalog', 'information_schema')"
            )
            raise OperatorError(
                f"{file}: there is no table {table}; there are {there or 'none that this user may see'}"
            )
        found = self._connection.execute(sql.SQL("SELECT * FROM {} LIMIT 0").format(name)).description or []
        check_columns(file, table, wanted, [column.name for column in found])

    def _table(self) -> sql.Identifier:
        from psycopg import sql

        return sql.Identifier(*self._mapping.product.table.split("."))

    def _one(self, query: Any, parameters: tuple[Any, ...] = ()) -> Any:
        row = self._connection.execute(query, parameters).fetchone()
        return None if row is None else row[0]
