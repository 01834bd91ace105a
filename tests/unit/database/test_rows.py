"""A row comes to a product as the mapping says, whoever has read it."""

from __future__ import annotations

from typing import Any

import msgspec
import pytest

from schemas.database.mapping import DatabaseMapping
from schemas.database.rows import UNAVAILABLE, mapped
from schemas.database.values import version_of
from schemas.errors import RejectedError
from schemas.events.event import ImageRef, ProductAdded, ProductRemoved


def mapping(**product: Any) -> DatabaseMapping:
    images = product.pop("images", {})
    return msgspec.convert({"product": {"table": "t", "id": "id", **product}, "images": images}, DatabaseMapping)


def test_known_attributes_are_of_their_type_and_others_as_the_database_has_them() -> None:
    made = mapping(
        attributes={
            "title": "name", "price": {"column": "cents", "factor": 0.01}, "sales": "sold", "praise": "liked",
            "facts": {"column": "facts", "json": True}, "soft": "soft", "empty": "empty",
        }
    )  # fmt: skip
    row = {
        "id": 17, "name": 501, "cents": 1999, "sold": "12", "liked": "0.5", "facts": '{"a": [1]}', "soft": True,
        "empty": " ",
    }  # fmt: skip
    assert mapped(row, made).event(5) == ProductAdded(
        product_id="17",
        version=5,
        product={"title": "501", "price": 19.99, "sales": 12, "praise": 0.5, "facts": {"a": [1]}, "soft": True},
    )


@pytest.mark.parametrize(
    ("field", "value"), [("price", "free"), ("price", True), ("price", "F2Y="), ("sales", 1.5), ("title", True)]
)
def test_what_a_field_cannot_hold_is_refused_by_its_name(field: str, value: object) -> None:
    with pytest.raises(RejectedError) as refusal:
        mapped({"id": 1, "c": value}, mapping(attributes={field: "c"}))
    assert refusal.value.reason == field


@pytest.mark.parametrize(
    ("shown", "value", "is_shown"),
    [
        ("s", True, True), ("s", 1, True), ("s", 0, False), ("s", None, False),
        ({"column": "s", "values": ["live", "soon"]}, "soon", True),
        ({"column": "s", "values": ["live"]}, "draft", False),
        ({"column": "s", "values": [1]}, True, False), ({"column": "s", "values": [1]}, 1.0, True),
        ({"column": "s", "empty": True}, None, True), ({"column": "s", "empty": True}, "2026-11-01", False),
    ],
)  # fmt: skip
def test_a_row_says_whether_its_product_is_shown(shown: object, value: object, is_shown: bool) -> None:
    event = mapped({"id": "p", "s": value}, mapping(shown=shown)).event(None)
    assert isinstance(event, ProductAdded if is_shown else ProductRemoved)


def test_text_that_says_neither_is_refused() -> None:
    with pytest.raises(RejectedError, match="name the values that show a product"):
        mapped({"id": "p", "s": "live"}, mapping(shown="s"))


def test_pictures_come_from_columns_of_every_form_once_each() -> None:
    made = mapping(images={"columns": ["one", "list", "json"], "base": "https://i.example.com/x/"})
    row = {
        "id": "p", "one": "a.jpg", "list": ["/b.jpg", "a.jpg", None],
        "json": '[{"url": "https://c.example.com/c.jpg", "version": 3}]',
    }  # fmt: skip
    assert mapped(row, made).images == [
        ImageRef(url="https://i.example.com/x/a.jpg"),
        ImageRef(url="https://i.example.com/x/b.jpg"),
        ImageRef(url="https://c.example.com/c.jpg", version="3"),
    ]
    assert mapped({"id": "p", "one": None, "list": [], "json": None}, made).images == []
    assert mapped({"id": "p"}, mapping()).images is None


@pytest.mark.parametrize("url", ["a.jpg", "ftp://example.com/a.jpg", 7, '["unclosed'])
def test_a_picture_that_cannot_be_fetched_is_refused(url: object) -> None:
    with pytest.raises(RejectedError) as refusal:
        mapped({"id": "p", "u": url}, mapping(images={"columns": ["u"]}))
    assert refusal.value.reason == "image"


def test_columns_and_ids_that_are_missing_are_named() -> None:
    with pytest.raises(RejectedError, match="has no 'name', which the mapping names; it has id, title"):
        mapped({"id": "p", "title": "x"}, mapping(attributes={"title": "name"}))
    for row in ({"id": None}, {"id": " "}, {"id": UNAVAILABLE}):
        with pytest.raises(RejectedError, match="REPLICA IDENTITY FULL"):
            mapped(row, mapping())


@pytest.mark.parametrize(
    ("value", "version"),
    [
        (7, 7), ("7", 7), (None, None), ("1970-01-01T00:00:01.5+00:00", 1_500_000), ("1970-01-01T00:00:01", 1_000_000),
        ("2026-11-01T11:00:00+01:00", 1_793_527_200_000_000),
    ],
)  # fmt: skip
def test_a_version_is_a_number_or_a_time(value: object, version: int | None) -> None:
    assert version_of(value) == version
    assert mapped({"id": "p", "v": value}, mapping(version="v")).event(3).version == (3 if version is None else version)
