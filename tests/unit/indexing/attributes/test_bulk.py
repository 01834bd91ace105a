"""Columns of restored rows against columns that were written row by row."""

from __future__ import annotations

import math
from typing import Any

import msgspec
import numpy as np

from indexing.attributes.bulk import load_columns
from indexing.attributes.columns import Columns
from indexing.rows.digest import NO_VECTOR
from indexing.rows.forward import CHUNK_ROWS, ForwardIndex, Row
from indexing.rows.usable import SUPERSEDED, VALID
from schemas.ids import image_id
from schemas.query.fields import Field, FieldKind, Fields
from schemas.query.filters import AnyOf

FIELDS = Fields([Field("materials", FieldKind.LIST), Field("weight", FieldKind.NUMBER)])


class Rows:
    """A forward index, and the columns that a writer would have made of it."""

    def __init__(self) -> None:
        self.forward = ForwardIndex()
        self.columns = Columns(FIELDS)
        self._places: dict[bytes, int] = {}
        self._numbers: dict[str, int] = {}

    def add(
        self, product: str, attributes: dict[str, Any] | None, *, sales: int = 3, flags: int = VALID, seq: int = 1
    ) -> None:
        text = b"" if attributes is None else msgspec.json.encode(attributes)
        if text and text not in self._places:
            self._places[text] = self.forward.texts.append(text)
        number = len(self.forward)
        price = math.nan if number % 5 == 0 else float(number)
        image = image_id(product, str(number))
        self.forward.append(
            Row(image, 1, 1, seq, price, sales, 2.0, 0, self._places.get(text, 0), 0, 0, len(text), -1, -1, flags,
                NO_VECTOR, NO_VECTOR)
        )  # fmt: skip
        if flags & SUPERSEDED:
            self.columns.clear(number)
            return
        self.columns.write(number, text, price, sales, 2.0)
        self.columns.set_product(number, self._numbers.setdefault(product, len(self._numbers)))
        self.columns.set_valid(number, flags == VALID)
        self.columns.set_searchable(number, flags == VALID and seq > 0)


def assert_same(loaded: Columns, written: Columns) -> None:
    assert len(loaded) == len(written)
    rows = len(loaded)
    assert loaded.valid[:rows].tolist() == written.valid[:rows].tolist()
    assert loaded.searchable[:rows].tolist() == written.searchable[:rows].tolist()
    for row in range(rows):
        assert repr(loaded.values(row)) == repr(written.values(row)), row
    assert loaded.products == written.products
    pairs = set(zip(loaded.product[:rows].tolist(), written.product[:rows].tolist(), strict=True))
    assert len({one for one, _ in pairs}) == len({other for _, other in pairs}) == len(pairs), "the same products"


def test_loaded_columns_are_those_that_were_written() -> None:
    rows = Rows()
    for number in range(300):
        product = f"p{number % 70}"
        attributes = {
            "brand": f"b{number % 7}",
            "category": f"a/{number % 3}",
            "materials": [f"m{number % 5}", f"m{number % 11}"],
            "weight": number % 9,
            "listed": "2024-01-01",
        }
        rows.add(product, attributes if number % 6 else None, sales=number % 4 - 1, seq=number % 2)
        rows.add(product, attributes, flags=SUPERSEDED)
        rows.add(product, attributes, flags=0)
    loaded = load_columns(FIELDS, rows.forward)
    assert_same(loaded, rows.columns)
    assert loaded.product[1] == -1, "a superseded row stands for nothing"


def test_rows_over_several_chunks_are_all_loaded() -> None:
    rows = Rows()
    for number in range(CHUNK_ROWS + 10):
        rows.add(f"p{number % 5000}", {"brand": f"b{number % 5000}", "materials": [f"m{number % 5000}"]})
    loaded = load_columns(FIELDS, rows.forward)
    for number in (0, 17, 4999):
        for field, word in (("brand", f"b{number}"), ("materials", f"m{number}")):
            found = np.flatnonzero(loaded.mask(AnyOf(field, (word,)), len(loaded), loaded.valid)).tolist()
            assert found == list(range(number, CHUNK_ROWS + 10, 5000))
    assert loaded.products == 5000


def test_writes_go_on_where_loading_ended() -> None:
    rows = Rows()
    for number in range(20):
        rows.add(f"p{number}", {"brand": "a", "materials": ["m", f"m{number}"]})
    loaded = load_columns(FIELDS, rows.forward)
    loaded.write(20, b'{"brand":"a","materials":["m"]}', 1.0, 1, 1.0)
    loaded.set_product(20, loaded.products)
    loaded.write_attributes(0, b"{}")
    loaded.scrub()
    assert loaded.products == 21
    assert np.flatnonzero(loaded.mask(AnyOf("materials", ("m",)), 21)).tolist() == list(range(1, 21))
    assert np.flatnonzero(loaded.mask(AnyOf("materials", ("m0",)), 21)).tolist() == []
    assert np.flatnonzero(loaded.mask(AnyOf("materials", ("m7",)), 21)).tolist() == [7]


def test_no_rows_and_rows_without_attributes_load() -> None:
    assert len(load_columns(FIELDS, ForwardIndex())) == 0
    rows = Rows()
    rows.add("p", None)
    loaded = load_columns(FIELDS, rows.forward)
    assert_same(loaded, rows.columns)
