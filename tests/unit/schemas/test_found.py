"""What a search found, in columns: nothing is lost on the way, and the best of all parts come first."""

from __future__ import annotations

import math

import pytest

from schemas.errors import TransientError
from schemas.found import Hit, decode_found, encode_found, merge_found
from schemas.search_pb2 import Found


def hit(name: str, score: float) -> Hit:
    return Hit(name.encode().ljust(16), name, score, f"https://shop/{name}", 9.5, 3, 0.5, b'{"a":1}', 7, 0)


LONG = Hit(b"\0" * 16, "läng", 0.25, "", math.inf, -1, 0.0, b"", 0, 90_000)


def over_the_wire(found: Found) -> Found:
    return Found.FromString(found.SerializeToString())


def test_hits_come_out_as_they_went_in_query_by_query() -> None:
    found = [[hit("a", 0.5), LONG], [], [hit("b", -1.0)]]
    assert decode_found(over_the_wire(encode_found(found)), 3) == found
    assert decode_found(over_the_wire(encode_found([])), 0) == []


def test_unknown_numbers_stay_unknown() -> None:
    unknown = Hit(b"x" * 16, "p", 0.5, "", math.nan, -1, math.nan, b"", 1)
    ((found,),) = decode_found(over_the_wire(encode_found([[unknown]])), 1)
    assert math.isnan(found.price) and math.isnan(found.praise) and found.sales == -1


def test_parts_are_merged_best_first_and_equal_ones_in_the_order_of_the_parts() -> None:
    one = encode_found([[hit("a", 0.75), hit("b", 0.5)], [hit("c", 0.25)]])
    two = encode_found([[hit("d", 0.75), hit("e", 0.625)], []])
    merged = decode_found(merge_found([one, two], 2, 3), 2)
    assert [[found.product_id for found in line] for line in merged] == [["a", "d", "e"], ["c"]]


def test_an_answer_to_another_number_of_queries_is_of_another_version() -> None:
    with pytest.raises(TransientError, match="one version"):
        decode_found(Found(), 1)


def test_columns_of_different_lengths_are_refused_and_not_cut() -> None:
    found = encode_found([[hit("a", 0.5), hit("b", 0.25)]])
    del found.urls[1]
    with pytest.raises(TransientError, match="not of one length"):
        decode_found(found, 1)
