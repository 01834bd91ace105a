"""Facets against a count by hand: products, not images, each by its first matching row."""

from __future__ import annotations

import math
from collections import Counter
from typing import Any

import msgspec
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from indexing.attributes.columns import Columns
from indexing.attributes.facets import count, count_within, distinct_products, one_row_each
from schemas.errors import TransientError
from schemas.query.facets import FacetCounts, FacetWanted, merge_facets
from schemas.query.fields import Fields
from schemas.query.filters import Filter, parse_filter

FIELDS = Fields()
WANTED = [
    FacetWanted("category"),
    FacetWanted("brand"),
    FacetWanted("size"),
    FacetWanted("price", (10.0, 20.0)),
    FacetWanted("sales"),
]


def columns_of(rows: list[tuple[int, dict[str, Any], float]]) -> Columns:
    """Rows as (product, attributes, price)."""
    columns = Columns(FIELDS)
    for row, (product, attributes, price) in enumerate(rows):
        columns.write(row, msgspec.json.encode(attributes), price, -1, math.nan)
        columns.set_product(row, product)
    return columns


def every(columns: Columns) -> np.ndarray[Any, np.dtype[np.int64]]:
    return np.arange(len(columns))


def named(facet: FacetCounts) -> dict[str, int]:
    assert len(set(facet.values)) == len(facet.values)
    return dict(zip(facet.values, facet.counts, strict=True))


def test_images_of_one_product_count_once() -> None:
    shoe, bag = {"brand": "Strider", "size": ["40", "41"]}, {"brand": "Acme"}
    columns = columns_of([(0, shoe, 5.0), (1, bag, 10.0), (0, shoe, 5.0), (2, shoe, math.nan), (0, shoe, 5.0)])
    category, brand, size, price, sales = count(columns, every(columns), WANTED)
    assert named(brand) == {"Strider": 2, "Acme": 1}
    assert named(size) == {"40": 2, "41": 2}
    assert (brand.products, size.products, price.products, category.products) == (3, 2, 2, 0)
    assert (price.bucket_counts, price.low, price.high) == ([1, 1, 0], 5.0, 10.0)
    assert (sales.bucket_counts, sales.low, sales.high) == ([], None, None)
    assert distinct_products(columns, every(columns)) == 3


def test_first_matching_row_stands_for_the_product() -> None:
    columns = columns_of([(0, {"brand": "a"}, 1.0), (0, {"brand": "b"}, 2.0), (1, {"brand": "c"}, 3.0)])
    assert one_row_each(columns, np.array([1, 2])).tolist() == [1, 2]
    assert named(count(columns, np.array([1, 2]), [FacetWanted("brand")])[0]) == {"b": 1, "c": 1}


def test_every_ancestor_of_a_path_counts() -> None:
    paths = ["shoes/running", "shoes/running/trail", "shoes", "shoestrings", "bags"]
    columns = columns_of([(product, {"category": path}, 1.0) for product, path in enumerate(paths)])
    category = count(columns, every(columns), [FacetWanted("category")])[0]
    assert named(category) == {
        "shoes": 3,
        "shoes/running": 2,
        "shoes/running/trail": 1,
        "shoestrings": 1,
        "bags": 1,
    }
    assert category.products == 5


def test_a_bound_belongs_to_the_bucket_above_it() -> None:
    prices = [9.99, 10.0, 19.99, 20.0, 21.0]
    columns = columns_of([(product, {}, price) for product, price in enumerate(prices)])
    assert count(columns, every(columns), [FacetWanted("price", (10.0, 20.0))])[0].bucket_counts == [1, 2, 2]


def test_rows_without_a_product_are_not_counted() -> None:
    columns = columns_of([(0, {"brand": "a"}, 1.0)])
    columns.write(1, b'{"brand":"b"}', 1.0, 1, 1.0)
    assert named(count(columns, every(columns), [FacetWanted("brand")])[0]) == {"a": 1}
    assert distinct_products(columns, every(columns)) == 1


def test_of_no_rows_there_is_nothing_to_count() -> None:
    columns = columns_of([(0, {"brand": "a", "size": "40"}, 1.0)])
    none = np.empty(0, np.int64)
    assert distinct_products(columns, none) == 0
    facets = count(columns, none, WANTED)
    assert [facet.products for facet in facets] == [0] * 5
    assert [facet.values for facet in facets] == [[]] * 5
    assert facets[3].bucket_counts == [0, 0, 0]


def test_unknown_field_is_an_error() -> None:
    with pytest.raises(KeyError, match="nothing"):
        count(columns_of([]), np.empty(0, np.int64), [FacetWanted("nothing")])


def test_rows_are_asked_for_once_for_each_filter_that_is_counted_within() -> None:
    columns = columns_of([(0, {"brand": "a"}, 1.0), (1, {"brand": "b"}, 1.0), (2, {"brand": "b"}, 9.0)])
    tree = parse_filter({"brand": "a", "price": {"lt": 5}}, FIELDS)
    asked: list[Filter | None] = []

    def matching(scope: Filter | None) -> np.ndarray[Any, np.dtype[np.int64]]:
        asked.append(scope)
        return np.flatnonzero(columns.mask(scope, len(columns)) if scope is not None else np.ones(3, np.bool_))

    wanted = [FacetWanted("size", exclude_own=True), FacetWanted("brand"), FacetWanted("brand", exclude_own=True),
              FacetWanted("price", exclude_own=True), FacetWanted("category")]  # fmt: skip
    size, brand, others, price, category = count_within(columns, tree, wanted, matching)
    assert (size.field, category.field) == ("size", "category")
    assert named(brand) == {"a": 1}
    assert named(others) == {"a": 1, "b": 1}
    assert (price.low, price.high) == (1.0, 1.0)
    assert len(asked) == 3
    assert tree in asked


_products = st.integers(0, 5)
_attributes = st.fixed_dictionaries(
    {},
    optional={
        "category": st.sampled_from(["a", "a/b", "a/b/c", "b", "/a"]),
        "brand": st.sampled_from(["x", "y"]),
        "size": st.lists(st.sampled_from(["40", "41", "42"]), max_size=4),
    },
)
_rows = st.lists(st.tuples(_products, _attributes, st.sampled_from([1.0, 10.0, 15.0, 20.0, math.nan])), max_size=20)


@given(_rows, st.sets(st.integers(0, 19)))
@settings(deadline=None)
def test_facets_are_a_count_by_hand(rows: list[tuple[int, dict[str, Any], float]], chosen: set[int]) -> None:
    matching = sorted(row for row in chosen if row < len(rows))
    standing: dict[int, tuple[dict[str, Any], float]] = {}
    for row in matching:
        standing.setdefault(rows[row][0], rows[row][1:])
    columns = columns_of(rows)
    category, brand, size, price, _ = count(columns, np.array(matching, np.int64), WANTED)
    assert distinct_products(columns, np.array(matching, np.int64)) == len(standing)
    assert named(brand) == Counter(each["brand"] for each, _ in standing.values() if "brand" in each)
    assert named(size) == Counter(word for each, _ in standing.values() for word in set(each.get("size", ())))
    assert size.products == sum(1 for each, _ in standing.values() if each.get("size"))
    paths: Counter[str] = Counter()
    for each, _ in standing.values():
        parts = each["category"].split("/") if "category" in each else []
        paths.update("/".join(parts[: end + 1]) for end in range(len(parts)) if any(parts[: end + 1]))
    assert named(category) == paths
    prices = [each for _, each in standing.values() if each == each]
    assert price.bucket_counts == [
        sum(1 for each in prices if each < 10),
        sum(1 for each in prices if 10 <= each < 20),
        sum(1 for each in prices if each >= 20),
    ]
    assert (price.low, price.high) == (min(prices, default=None), max(prices, default=None))


@given(_rows)
@settings(deadline=None)
def test_merged_shards_are_one_shard(rows: list[tuple[int, dict[str, Any], float]]) -> None:
    whole = columns_of(rows)
    shards = [columns_of([row for row in rows if row[0] % 2 == shard]) for shard in range(2)]
    merged = merge_facets([count(shard, every(shard), WANTED) for shard in shards])
    assert merged == merge_facets([count(whole, every(whole), WANTED)])
    for facet in merged:
        assert facet.counts == sorted(facet.counts, reverse=True)


def test_facets_of_no_shard_are_none_and_of_different_questions_an_error() -> None:
    assert merge_facets([]) == []
    with pytest.raises(TransientError, match="other_version"):
        merge_facets([[FacetCounts("brand")], [FacetCounts("colour")]])
    with pytest.raises(TransientError, match="other_version"):
        merge_facets([[FacetCounts("price", bucket_counts=[1, 2])], [FacetCounts("price")]])


def test_facets_travel_as_message_pack() -> None:
    facets = [
        FacetCounts("price", bucket_counts=[1, 0], low=1.0, high=2.0, products=1),
        FacetCounts("brand", ["a"], [1]),
    ]
    assert msgspec.msgpack.decode(msgspec.msgpack.encode(facets), type=list[FacetCounts]) == facets
    assert msgspec.msgpack.decode(msgspec.msgpack.encode(WANTED), type=list[FacetWanted]) == WANTED
