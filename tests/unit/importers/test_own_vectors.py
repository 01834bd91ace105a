"""Catalogues with vectors of the shop's own: in a column, with each image, or in a NumPy file beside the table."""

from __future__ import annotations

import json
from datetime import date
from decimal import Decimal
from pathlib import Path
from typing import Any

import msgspec
import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from cli.importers import Refusal, read_catalogue
from cli.importers.vectors import OwnVectors, VectorFile, written
from schemas.errors import OperatorError
from schemas.events.event import ProductAdded, decode_event
from schemas.settings import load_settings

OWN = OwnVectors("external:shop:3", 3, demanded=True)
NETWORK = OwnVectors("efficientnet_lite0")
A, B = [0.5, -1.0, 2.0], [1.0, 0.0, 0.25]


def read(path: Path, own: OwnVectors = OWN, beside: Path | None = None) -> tuple[list[ProductAdded], list[Refusal]]:
    entries = list(read_catalogue(path, (), own, None if beside is None else VectorFile(beside, own)))
    events = [each for each in entries if isinstance(each, ProductAdded)]
    for event in events:
        assert decode_event(msgspec.json.encode(event)) == event
    return events, [each for each in entries if isinstance(each, Refusal)]


def lines(path: Path, *rows: dict[str, Any]) -> Path:
    path.write_text("".join(json.dumps(row) + "\n" for row in rows))
    return path


def images(event: ProductAdded) -> list[tuple[str, list[float] | None]]:
    return [(image.url, image.vector) for image in event.images or ()]


def reasons(refusals: list[Refusal]) -> list[tuple[str, str]]:
    return [(refusal.where, refusal.reason) for refusal in refusals]


def test_json_lines_bring_a_vector_for_the_row_or_one_with_each_image(tmp_path: Path) -> None:
    file = lines(
        tmp_path / "shop.jsonl",
        {"id": "1", "title": "t", "vector": A, "image": "https://c.example/1.jpg"},
        {"id": "2", "vector": B},
        {"id": "3", "images": [{"url": "https://c.example/a", "vector": A}, {"url": "name:b", "vector": B}]},
    )
    events, refusals = read(file)
    assert refusals == []
    assert [images(event) for event in events] == [
        [("https://c.example/1.jpg", A)],
        [("vector:2", B)],
        [("https://c.example/a", A), ("name:b", B)],
    ]
    assert events[0].product == {"title": "t"}, "a vector is no attribute"


@pytest.mark.parametrize("text", ["[0.5, -1, 2]", "0.5 -1.0 2e0", "0.5;-1;2", "0.5|-1|2"])
def test_csv_brings_vectors_as_text(tmp_path: Path, text: str) -> None:
    (tmp_path / "shop.csv").write_text(f'id,vector,image\n1,"{text}",https://c.example/1.jpg\n')
    events, _ = read(tmp_path / "shop.csv")
    assert images(events[0]) == [("https://c.example/1.jpg", A)]


@pytest.mark.parametrize("kind", [pa.list_(pa.float32()), pa.list_(pa.float64()), pa.list_(pa.float32(), 3)])
def test_parquet_brings_products_and_vectors(tmp_path: Path, kind: pa.DataType) -> None:
    # pyarrow 16 cannot read a list of fixed length that is missing.
    third = [1.0, 1.0, 1.0] if pa.types.is_fixed_size_list(kind) else None
    table = pa.table(
        {
            "product_id": ["1", "2", "3" if third is None else None],
            "title": ["a", "b", None],
            "price": [Decimal("59.90"), None, Decimal("5.00")],
            "listed": [date(2026, 1, 2), None, None],
            "weight": [1.5, float("nan"), None],
            "blob": [b"\xff", b"", None],
            "size": [["S", "M"], None, []],
            "vector": pa.array([A, B, third], kind),
        }
    )
    pq.write_table(table, tmp_path / "products.parquet")
    events, refusals = read(tmp_path)  # found in its folder
    assert [images(event) for event in events] == [[("vector:1", A)], [("vector:2", B)]]
    assert events[0].product == {
        "title": "a", "price": 59.9, "listed": "2026-01-02", "weight": 1.5, "size": ["S", "M"],
    }  # fmt: skip
    assert events[1].product == {"title": "b"}
    assert reasons(refusals) == [("row 3", "no_vector" if third is None else "no_product_id")]


def test_parquet_brings_pictures_where_a_network_makes_the_vectors(tmp_path: Path) -> None:
    pq.write_table(pa.table({"id": ["1"], "images": [["https://c.example/1.jpg"]]}), tmp_path / "shop.parquet")
    events, _ = read(tmp_path / "shop.parquet", NETWORK)
    assert images(events[0]) == [("https://c.example/1.jpg", None)]


@pytest.mark.parametrize("content", [b"", b"no parquet", None])
def test_what_is_no_usable_parquet_is_refused_as_a_whole(tmp_path: Path, content: bytes | None) -> None:
    file = tmp_path / "shop.parquet"
    if content is None:
        pq.write_table(pa.table({"title": ["t"]}), file)
    else:
        file.write_bytes(content)
    with pytest.raises(OperatorError, match=r"sku|Parquet"):
        read(file)


def test_vectors_beside_the_table_belong_to_its_rows_in_their_order(tmp_path: Path) -> None:
    file = lines(tmp_path / "shop.jsonl", {"id": "1"}, {"title": "no id"}, {"id": "3"})
    np.save(tmp_path / "v.npy", np.array([A, [9, 9, 9], B], np.float32))
    events, refusals = read(file, beside=tmp_path / "v.npy")
    assert [images(event) for event in events] == [[("vector:1", A)], [("vector:3", B)]]
    assert reasons(refusals) == [("line 2", "no_product_id")]


def test_another_number_of_vectors_than_rows_is_refused_before_anything_is_read(tmp_path: Path) -> None:
    file = lines(tmp_path / "shop.jsonl", {"id": "1"}, {"id": "2"})
    np.save(tmp_path / "v.npy", np.array([A, A, B]))
    with pytest.raises(OperatorError, match=r"3 rows.* 2"):
        read_catalogue(file, (), OWN, VectorFile(tmp_path / "v.npy", OWN))
    table = pa.table({"id": ["1", "2"]})
    pq.write_table(table, tmp_path / "shop.parquet")
    with pytest.raises(OperatorError, match=r"3 rows.* 2"):
        read_catalogue(tmp_path / "shop.parquet", (), OWN, VectorFile(tmp_path / "v.npy", OWN))


@pytest.mark.parametrize("array", [np.zeros(3), np.array([["a"]]), np.zeros((2, 4)), np.zeros((2, 3), complex)])
def test_file_of_no_vectors_of_this_index_is_refused(tmp_path: Path, array: np.ndarray[Any, Any]) -> None:
    np.save(tmp_path / "v.npy", array)
    with pytest.raises(OperatorError, match=r"v\.npy"):
        VectorFile(tmp_path / "v.npy", OWN)


def test_file_that_would_run_code_is_refused(tmp_path: Path) -> None:
    np.save(tmp_path / "v.npy", np.array([object()]), allow_pickle=True)
    with pytest.raises(OperatorError, match=r"numpy\.save"):
        VectorFile(tmp_path / "v.npy", OWN)


@pytest.mark.parametrize(
    ("own", "named"), [(OWN, "external:shop:3"), (NETWORK, "efficientnet_lite0")], ids=["other length", "a network"]
)
def test_vectors_that_the_setting_does_not_take_stop_the_import_before_its_first_event(
    tmp_path: Path, own: OwnVectors, named: str
) -> None:
    bad_row, vector = {"price": "no id"}, [1.0, 2.0]
    for row in (
        {"id": "1", "vector": vector},
        {"id": "1", "images": [{"url": "https://c.example/1", "vector": vector}]},
    ):
        entries = read_catalogue(lines(tmp_path / "shop.jsonl", bad_row, row), (), own)
        assert isinstance(next(entries), Refusal)
        with pytest.raises(OperatorError, match=rf"{named}.*VITRINE_ENCODER=external:NAME:2"):
            next(entries)


def test_unusable_vectors_are_refused_by_line_and_the_rest_goes_on(tmp_path: Path) -> None:
    file = tmp_path / "shop.jsonl"
    lines(
        file,
        {"id": "1", "vector": A},
        {"id": "2", "vector": [1, 2]},
        {"id": "3", "vector": [0, 0, 0]},
        {"id": "4", "vector": ["a", 1, 2]},
        {"id": "5", "vector": "words"},
        {"id": "6", "image": "https://c.example/6.jpg"},
        {"id": "7", "vector": B, "images": ["https://c.example/7.jpg", "https://c.example/8.jpg"]},
    )
    file.write_text(file.read_text() + '{"id": "8", "vector": [1e999, 1, 1]}\n')
    events, refusals = read(file)
    assert [event.product_id for event in events] == ["1", "7"]
    assert images(events[1]) == [("https://c.example/7.jpg", B)]
    assert reasons(refusals) == [
        ("line 2", "vector_length"),
        ("line 3", "vector"),
        ("line 4", "vector"),
        ("line 5", "vector"),
        ("line 6", "no_vector"),
        ("line 7", "no_vector"),
        ("line 8", "not_json"),
    ]


def test_vectors_in_the_column_and_beside_it_are_refused(tmp_path: Path) -> None:
    file = lines(tmp_path / "shop.jsonl", {"id": "1", "vector": A})
    np.save(tmp_path / "v.npy", np.array([B]))
    with pytest.raises(OperatorError, match="--vectors"):
        read(file, beside=tmp_path / "v.npy")


def test_column_of_that_name_that_holds_no_numbers_is_an_attribute_where_a_network_extracts(tmp_path: Path) -> None:
    file = lines(tmp_path / "shop.jsonl", {"id": "1", "vector": "scalable", "image": "https://c.example/1.jpg"})
    events, _ = read(file, NETWORK)
    assert events[0].product == {"vector": "scalable"}


def test_beside_a_network_an_image_may_have_a_vector_and_need_not(tmp_path: Path) -> None:
    file = lines(
        tmp_path / "shop.jsonl", {"id": "1", "vector": A, "images": ["https://c.example/1", "https://c.example/2"]}
    )
    events, _ = read(file, OwnVectors("external:shop:3", 3))
    assert images(events[0]) == [("https://c.example/1", A), ("https://c.example/2", None)]


def test_settings_say_which_vectors_are_taken(tmp_path: Path) -> None:
    def own(**values: Any) -> OwnVectors:
        return OwnVectors.from_settings(load_settings({}, home=str(tmp_path), **values))

    assert own(encoder="external:shop:3") == OWN
    assert own(encoder="efficientnet_lite0") == NETWORK
    beside = own(encoder="efficientnet_lite0", further_encoders=["vgg16=w.pth", "external:shop:3"])
    assert beside == OwnVectors("external:shop:3", 3, demanded=False)


def test_float32_is_written_short_and_comes_back_as_it_was() -> None:
    array = np.random.default_rng(1).standard_normal(1000).astype(np.float32)
    array[:4] = 0, np.float32(1e-40), np.float32(3e38), np.float32(0.1)
    numbers = written(array)
    assert np.array_equal(np.array(numbers, np.float32), array)
    assert sum(len(repr(number)) for number in numbers) < 13 * len(numbers)
    exact = array.astype(np.float64) / 3
    assert written(exact) == exact.tolist()
