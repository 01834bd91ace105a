"""The map of rows against two dictionaries: loaded images, images that came since, products with many of both."""

from __future__ import annotations

import numpy as np
import pytest

from indexing.rows.row_map import LOADED_IMAGE_BYTES, RowMap
from schemas.ids import image_id, product_hash


def loaded(ids: list[bytes]) -> RowMap:
    """Image i has row 2 * i."""
    return RowMap(np.frombuffer(b"".join(ids), dtype="V16"), 2 * np.arange(len(ids)))


def images(product: str, count: int, first: int = 0) -> list[bytes]:
    return [image_id(product, f"http://shop/{product}/{number}.jpg") for number in range(first, first + count)]


@pytest.mark.parametrize("products", [0, 1, 2, 9, 1000])
def test_it_is_what_dictionaries_would_be(products: int) -> None:
    known = [image for number in range(products) for image in images(f"p{number}", 1 + number % 4)]
    rows = loaded(known)
    expected = {image: 2 * number for number, image in enumerate(known)}
    later = [image for number in range(0, products + 3, 2) for image in images(f"p{number}", 2, first=5)]
    for image in later:
        assert rows.get(image) is None
        expected[image] = 1_000_000 + len(expected)
        rows.add(image, expected[image])
    for image in [*known[::3], *later[::3]]:
        expected[image] += 10_000_000
        rows.move(image, expected[image])
    assert {image: rows.get(image) for image in expected} == expected
    assert len(rows) == len(expected)
    assert sorted(rows.image_ids()) == sorted(expected)
    assert sorted(rows.numbers()) == sorted(expected.values())
    for number in range(products + 4):
        key = product_hash(f"p{number}")
        assert sorted(rows.of_product(key)) == sorted(row for image, row in expected.items() if image[:8] == key)
    hashes = np.frombuffer(b"".join(image[:8] for image in expected), dtype="<u8")
    assert sorted(rows.product_hashes().tolist()) == sorted(hashes.tolist())


def test_hashes_at_both_ends_are_found_and_their_neighbours_are_not() -> None:
    edges = [product + url for product in (bytes(8), b"\xff" * 8) for url in (bytes(8), b"\xff" * 8)]
    between = [bytes([number]) * 16 for number in range(1, 255)]
    rows = loaded([*between, *edges])
    assert [rows.get(image) for image in edges] == [2 * (len(between) + number) for number in range(4)]
    assert rows.get(bytes(8) + b"\x01" + bytes(7)) is None
    assert rows.get(b"\x01" + bytes(15)) is None
    assert rows.of_product(b"\xfe" + b"\xff" * 7) == ()


def test_a_product_of_many_images_is_found_in_one_range() -> None:
    many, few = images("big", 500), images("small", 2)
    rows = loaded([*few, *many])
    assert [rows.get(image) for image in many] == [2 * (number + 2) for number in range(500)]
    assert len(rows.of_product(product_hash("big"))) == 500


def test_loaded_images_weigh_what_the_plan_says() -> None:
    for count in (5_000, 10_000, 16_383):
        ids = np.random.default_rng(count).bytes(16 * count)
        rows = RowMap(np.frombuffer(ids, dtype="V16"), np.arange(count))
        assert 20 < rows.allocated / count <= LOADED_IMAGE_BYTES
