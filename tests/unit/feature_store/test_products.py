"""The product facade, on the in-memory store."""

from __future__ import annotations

import pytest

from feature_store.memory import MemoryStore
from feature_store.products import ProductReader, ProductStore, product_key
from schemas.errors import CorruptError
from schemas.events.record import ImageEntry, ProductRecord


def product(product_id: str, sequence: int = 1, listed: bool = True) -> ProductRecord:
    images = [ImageEntry(f"https://shop.example/{product_id}.jpg", None, sequence, sequence)]
    return ProductRecord(product_id, sequence, listed, None, {"price": 9.5, "größe": "XL"}, images, {1: 4})


def test_products_come_in_the_order_asked_for() -> None:
    store = ProductStore(MemoryStore(2))
    store.write(0, [product("a"), product("ключ", listed=False)], applied=5)
    assert store.get_many(0, ["ключ", "x", "a"]) == [product("ключ", listed=False), None, product("a")]
    assert store.get_many(1, ["a"]) == [None]


def test_a_record_read_twice_is_two_objects() -> None:
    store = ProductStore(MemoryStore(1))
    store.write(0, [product("a")], applied=1)
    first, second = store.get_many(0, ["a", "a"])
    assert first == second
    assert first is not second


def test_applied_is_kept_with_the_records_and_never_goes_back() -> None:
    memory = MemoryStore(2)
    store = ProductStore(memory)
    assert store.applied(0) == 0
    store.write(0, [product("a")], applied=1 << 60)
    store.write(0, [product("a", 2)], applied=7)
    store.write(1, [], applied=3)
    assert (store.applied(0), store.applied(1)) == (1 << 60, 3)
    store.close()
    again = ProductStore(memory)
    assert (again.applied(0), again.applied(1)) == (1 << 60, 3)
    assert again.get_many(0, ["a"]) == [product("a", 2)]


def test_scan_gives_all_products_by_id_and_nothing_else() -> None:
    store = ProductStore(MemoryStore(2))
    store.write(0, [product("b"), product("a", listed=False), product("")], applied=1)
    store.write(1, [product("elsewhere")], applied=1)
    assert list(store.scan(0)) == [product(""), product("a", listed=False), product("b")]


def test_a_reader_follows_the_owner() -> None:
    memory = MemoryStore(1)
    store, reader = ProductStore(memory), ProductReader(memory)
    assert reader.get_many(0, ["a"]) == [None]
    store.write(0, [product("a")], applied=1)
    assert reader.applied(0) == 0
    reader.catch_up()
    assert reader.applied(0) == 1
    assert reader.get_many(0, ["a"]) == [product("a")] == list(reader.scan(0))


def test_a_damaged_record_is_named_with_what_to_do() -> None:
    memory = MemoryStore(1)
    writer = memory.writer(0)
    writer.write([(product_key("bad"), b"\xc1")])
    writer.close()
    store = ProductStore(memory)
    store.write(0, [product("good")], applied=1)
    with pytest.raises(CorruptError, match=r"'bad' does not decode.*replay product-events"):
        store.get_many(0, ["good", "bad"])
    with pytest.raises(CorruptError, match="'bad' does not decode"):
        list(store.scan(0))
