"""What no blender sent and no pipeline wrote: forged filters and counts over gRPC, attributes made to hurt an index."""

from __future__ import annotations

import json
import math
from typing import Any

import msgspec
import numpy as np
import pytest

from indexing.shard.questions.question import ShardQuestion
from indexing.shard.shard import Shard
from schemas.deltas.delta import DeltaBatch
from schemas.errors import RejectedError
from schemas.ids import image_id
from schemas.query.fields import Fields
from schemas.query.filters import parse_filter
from schemas.query.indexed import Indexed
from schemas.search_pb2 import SearchRequest
from serving.grpc_api import GrpcBackend, start_server
from serving.local import LocalBackend
from tests.support.serving.found import hits
from tests.support.serving.world import DIMENSION, EXTRACTOR, batch, direction, listed, query, ready_searcher

pack = msgspec.msgpack.encode
ACME = {"type": "any_of", "field": "brand", "values": ["Acme"]}


def nested(levels: int) -> bytes:
    """A filter of that many negations, as no JSON could bring it here."""
    head = b"\x82\xa4type\xa3not\xa4part"
    return head * levels + pack(ACME)


FILTERS: dict[str, bytes] = {
    "garbage": b"\xc1\xff\x00garbage",
    "cut off": pack(ACME)[:-3],
    "an integer": pack(7),
    "nil": pack(None),
    "an unknown kind": pack({"type": "regex", "field": "brand", "values": ["a"]}),
    "an unknown field": pack({**ACME, "field": "password"}),
    "a field of a megabyte": pack({**ACME, "field": "x" * 1_000_000}),
    "values that are no texts": pack({**ACME, "values": [1, 2]}),
    "300 levels": nested(300),
    "900 levels": nested(900),
    "100,000 levels": nested(100_000),
    "deep lists in a field nobody knows": pack({**ACME})[:0] + b"\x84" + pack(ACME)[1:] + pack("x") + b"\x91" * 100_000,
    "a list over lists": b"\x91" * 100_000,
    "bad UTF-8": b"\x83\xa4type\xa6any_of\xa5field\xa2\xff\xfe\xa6values\x90",
    "a million values": pack({**ACME, "values": [str(number) for number in range(1_000_000)]}),
    "a million conditions": pack({"type": "or", "parts": [ACME] * 100_000}),
}
ODD_BUT_HARMLESS: dict[str, bytes] = {
    "a keyword asked for as a number": pack({"type": "between", "field": "brand", "low": 0.0, "high": 1.0}),
    "a number asked for as a keyword": pack({**ACME, "field": "price"}),
    "a number asked for as a path": pack({"type": "below", "field": "price", "values": ["a"]}),
    "a keyword asked for as a list": pack({"type": "all_of", "field": "brand", "values": ["Acme", "Nord"]}),
    "a number asked for as a list": pack({"type": "all_of", "field": "price", "values": []}),
    "a list asked for as a number": pack({"type": "between", "field": "labels", "low": -math.inf, "high": math.inf}),
    "NaN for bounds": pack({"type": "between", "field": "price", "low": math.nan, "high": math.nan}),
    "no values": pack({**ACME, "values": []}),
    "of nothing": pack({"type": "or", "parts": []}),
}
FACETS: dict[str, bytes] = {
    "garbage": b"\xc1",
    "an integer": pack(1),
    "an unknown field": pack([{"field": "password"}]),
    "ranges of a keyword": pack([{"field": "brand", "ranges": [1.0]}]),
    "a million facets": pack([{"field": "brand"}] * 100_000),
    "a million ranges": pack([{"field": "price", "ranges": [float(number) for number in range(1_000_000)]}]),
    "ranges that fall": pack([{"field": "price", "ranges": [2.0, 1.0]}]),
    "NaN for a range": pack([{"field": "price", "ranges": [math.nan]}]),
    "deep lists": b"\x91" * 100_000,
}


@pytest.fixture
def anyio_backend() -> str:
    return "asyncio"


@pytest.fixture(scope="module")
def searcher():  # type: ignore[no-untyped-def]
    return ready_searcher(deltas=listed(batch(), "lamp", [direction(1)]))


@pytest.mark.parametrize("case", FILTERS)
def test_forged_filter_is_refused(searcher, case: str) -> None:  # type: ignore[no-untyped-def]
    for asked in (query(direction(1)), SearchRequest(listing=True, list_limit=3), SearchRequest(words="a", limit=1)):
        asked.filter = FILTERS[case]
        with pytest.raises(RejectedError, match="invalid_filter"):
            searcher.search(asked)


@pytest.mark.parametrize("case", ODD_BUT_HARMLESS)
def test_filter_that_asks_a_field_for_what_it_has_not_is_answered(searcher, case: str) -> None:  # type: ignore[no-untyped-def]
    for asked in (query(direction(1)), SearchRequest(listing=True, list_limit=3)):
        asked.filter = ODD_BUT_HARMLESS[case]
        try:
            searcher.search(asked)
        except RejectedError as error:
            assert error.reason == "invalid_filter"


@pytest.mark.parametrize("case", FACETS)
def test_forged_facets_are_refused(searcher, case: str) -> None:  # type: ignore[no-untyped-def]
    asked = SearchRequest(listing=True, list_limit=3, facets=FACETS[case])
    with pytest.raises(RejectedError, match="invalid_question"):
        searcher.search(asked)


@pytest.mark.anyio
async def test_searcher_behind_grpc_goes_on_after_forged_requests(searcher) -> None:  # type: ignore[no-untyped-def]
    server, port = await start_server(LocalBackend(searcher), "127.0.0.1", 0)
    remote = GrpcBackend(f"127.0.0.1:{port}")
    try:
        for field, cases in (("filter", FILTERS), ("facets", FACETS)):
            for value in cases.values():
                if len(value) < 1_000_000:
                    with pytest.raises(RejectedError):
                        await remote.search(SearchRequest(listing=True, list_limit=1, **{field: value}), 5.0)
        for asked in (
            SearchRequest(listing=True, list_limit=2**31 - 1, order_by="-price"),
            SearchRequest(suggest="l" * 100_000, list_limit=2**31 - 1),
            SearchRequest(suggest="la", list_limit=0),
            SearchRequest(listing=True, list_limit=2**32 - 1),
            SearchRequest(words="lamp", list_limit=0),
        ):
            await remote.search(asked, 5.0)
        assert [hit.product_id for hit in hits(await remote.search(query(direction(1)), 5.0))] == ["lamp"]
    finally:
        await remote.close()
        await server.stop(None)


ATTRIBUTES: dict[str, bytes] = {
    "a title of a megabyte": json.dumps({"title": "word " * 200_000}).encode(),
    "a title of one long word": json.dumps({"title": "x" * 1_000_000}).encode(),
    "a title of combining marks": json.dumps({"title": "a" + "\u0301" * 100_000}).encode(),
    "a title that folds to far more": json.dumps({"title": "\ufdfa" * 20_000}).encode(),
    "100,000 labels": json.dumps({"labels": [f"label{number}" for number in range(100_000)]}).encode(),
    "a category of 100,000 levels": json.dumps({"category": "a/" * 100_000}).encode(),
    "a category of slashes": json.dumps({"category": "/" * 500}).encode(),
    "NaN in words": json.dumps({"weight": "NaN", "listed": "inf", "brand": "nan"}).encode(),
    "NaN as JSON has none": b'{"weight":NaN,"brand":"a"}',
    "numbers beyond float64": b'{"weight":' + b"9" * 400 + b',"listed":1e300,"brand":' + b"9" * 400 + b"}",
    "an exponent beyond float64": b'{"weight":1e400,"brand":"a"}',
    "a date beyond time": b'{"listed":"9999-12-31T23:59:59+14:00"}',
    "a date before time": b'{"listed":"0001-01-01T00:00:00+14:00"}',
    "a lone surrogate": b'{"title":"a \\ud800 b","brand":"\\udfff"}',
    "no UTF-8": b'{"title":"\xff\xfe","brand":"a"}',
    "a key twice": b'{"brand":"first","title":"one","brand":"second","title":"two"}',
    "no object": b"[1, 2, 3]",
    "no JSON": b"{",
    "10,000 levels": b'{"title":' + b"[" * 10_000 + b"]" * 10_000 + b"}",
    "1,000,000 levels": b'{"other":' + b"[" * 1_000_000 + b"]" * 1_000_000 + b"}",
    "objects where texts are meant": b'{"title":{"a":1},"brand":{"b":2},"labels":{"c":3},"weight":{},"listed":[]}',
    "nothing at all": b'{"title":null,"brand":null,"labels":[null,[],{}],"weight":null}',
    "a null byte": b'{"title":"a\\u0000b","brand":"\\u0000"}',
}
INDEXED = Indexed(Fields.declared(["weight:number"]), (), "english")


def delta(product: str, sequence: int, attributes: bytes, vector: int) -> DeltaBatch:
    made = DeltaBatch(EXTRACTOR)
    url = f"http://shop/{product}.jpg"
    made.add(
        image_id(product, url), product, state_seq=sequence, valid=True, image_seq=sequence, url=url,
        attributes=attributes, vector_seq=sequence, vector=direction(vector).tobytes(),
    )  # fmt: skip
    return made


@pytest.mark.parametrize("case", ATTRIBUTES)
def test_attributes_made_to_hurt_are_taken_and_the_next_product_too(case: str) -> None:
    shard = Shard(EXTRACTOR, DIMENSION)
    shard.open_attributes(INDEXED)
    good: dict[str, Any] = {"title": "good lamp", "brand": "Acme", "weight": 2}
    shard.apply(delta("before", 1, json.dumps(good).encode(), 1))
    shard.apply(delta("bad", 2, ATTRIBUTES[case], 2))
    shard.apply(delta("bad", 3, ATTRIBUTES[case] + b" ", 3))
    shard.apply(delta("after", 4, json.dumps(good).encode(), 4))
    fresh = Shard(EXTRACTOR, DIMENSION)
    fresh.apply(delta("bad", 3, ATTRIBUTES[case] + b" ", 3))
    fresh.apply(delta("after", 4, json.dumps(good).encode(), 4))
    fresh.open_attributes(INDEXED)  # built from what is there, as after a restart
    acme = parse_filter({"brand": "Acme", "weight": {"gte": 1}}, INDEXED.fields)
    for index, expected in ((shard, {"before", "after"}), (fresh, {"after"})):
        nothing = np.empty((0, DIMENSION), np.float32)
        found = index.answer(ShardQuestion(nothing, 1, tree=acme, words="good lamps", list_limit=9)).listed
        assert {hit.product_id for hit in found} == expected
        (near,) = index.answer(ShardQuestion(direction(4)[None], 9, tree=acme)).found
        assert {hit.product_id for hit in near} == expected
        assert len(index.answer(ShardQuestion(nothing, 1, listing=True, list_limit=9)).listed) == len(expected) + 1
        index.suggest("go", 5)
