"""A mapping file says what it means, or what is wrong in it."""

from __future__ import annotations

from pathlib import Path

import pytest

from schemas.database.mapping import check_columns, read_mapping
from schemas.errors import OperatorError
from tests.support.database.catalogue import MAPPING


def test_the_columns_of_both_tables_are_known_with_where_the_file_names_them() -> None:
    mapping = read_mapping(MAPPING)
    assert mapping.product_columns()["sku"] == "product.id"
    assert mapping.product_columns()["price_cents"] == "product.attributes.price"
    assert mapping.image_columns() == {
        "product": "images.product", "url": "images.url", "etag": "images.version", "place": "images.order"
    }  # fmt: skip


_LEAST = '[product]\ntable = "shop.products"\nid = "sku"\n'


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("[product", "is not TOML"),
        ('[product]\ntable = "products"\n', "`id`"),
        (_LEAST + 'titel = "name"\n', "`titel`.*product: table, id, shown, version, attributes"),
        (_LEAST + "[product.attributes]\nprice = 5\n", r"attributes"),
        (_LEAST + '[product.attributes]\nprice = { column = "p", faktor = 2 }\n', "`faktor`.*column, factor, json"),
        (_LEAST + '[images]\ntable = "pictures"\ncolumns = ["url"]\n', "leave one out"),
        (_LEAST + '[images]\ntable = "pictures"\nurl = "url"\n', "images.product"),
        (_LEAST + '[images]\nurl = "url"\n', "images.table: name it"),
        ('[product]\ntable = "a.b.c"\nid = "sku"\n', "'a.b.c' is no table"),
        (_LEAST + 'shown = { column = "s", values = ["live"], empty = true }\n', "leave one out"),
    ],
)
def test_a_mapping_that_is_none_is_refused_by_what_is_wrong(tmp_path: Path, text: str, says: str) -> None:
    file = tmp_path / "mapping.toml"
    file.write_text(text)
    with pytest.raises(OperatorError, match=says):
        read_mapping(str(file))


def test_a_mapping_that_is_not_there_names_the_setting(tmp_path: Path) -> None:
    with pytest.raises(OperatorError, match="VITRINE_DATABASE_MAPPING"):
        read_mapping("")
    with pytest.raises(OperatorError, match=r"database_mapping: .*absent.toml cannot be read"):
        read_mapping(str(tmp_path / "absent.toml"))


def test_a_column_that_the_table_has_not_is_named_with_those_that_there_are() -> None:
    with pytest.raises(OperatorError, match=r"product.attributes.title is 'nmae', and shop.products has sku, name;"):
        check_columns(
            "m.toml", "shop.products", {"sku": "product.id", "nmae": "product.attributes.title"}, ["sku", "name"]
        )
