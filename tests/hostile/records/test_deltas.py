"""Whatever is written into index-deltas, a shard goes on, its watermark moves, and every answer can be given."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import httpx
import numpy as np
import pyarrow as pa
import pytest

from schemas.deltas.check import MOST_ATTRIBUTES_BYTES, UNDECODABLE
from schemas.deltas.delta import DELTA_SCHEMA, Progress
from schemas.deltas.frames import is_compressed
from schemas.ids import image_id, sequence, shard_of_product
from tests.hostile.records.forged import (
    CHECK,
    EPOCH,
    HOME,
    PARTITIONS,
    PRODUCT,
    URL,
    Fed,
    fed,
    later_epoch,
    progress,
    record,
    row,
)
from tests.support.serving.found import hits
from tests.support.serving.http_world import over, post_vector, serving
from tests.support.serving.world import DIMENSION, WATERMARK_MS, batch, direction, listed, query

AWAY = next(f"far{n}" for n in range(99) if shard_of_product(f"far{n}", PARTITIONS) != HOME)
DEEP = b'{"a":' + b"[" * 5000 + b"]" * 5000 + b"}"
CENTURY_MS = 100 * 365 * 86_400_000
PROGRESS = {
    "of partition 99": (progress(99, 1), "progress"),
    "of partition 99 of 100": (progress(99, 100), "progress"),
    "of partition -1": (progress(-1, 1), "progress"),
    "of no partitions": (progress(0, 0), "progress"),
    "of a negative number of partitions": (progress(0, -4), "progress"),
    "of a million partitions": (progress(0, 1_000_000), "progress"),
    "of more partitions than a number has": (progress(0, 2**62), "progress"),
    "with a negative sequence": (Progress(0, 1, -5, WATERMARK_MS), "progress_sequence"),
    "with no sequence": (Progress(0, 1, 0, WATERMARK_MS), "progress_sequence"),
    "of a later epoch": (Progress(0, 1, later_epoch(), WATERMARK_MS), "progress_sequence"),
    "of the last epoch": (Progress(0, 1, 2**63 - 1, WATERMARK_MS), "progress_sequence"),
    "in a hundred years": (progress(timestamp_ms=WATERMARK_MS + CENTURY_MS), "progress_time"),
    "before time": (progress(timestamp_ms=-1), "progress_time"),
    "with a sequence beyond 64 bits": (Progress(0, 1, 10**30, WATERMARK_MS), "progress_sequence"),
    "at no time": (progress(timestamp_ms=0), "progress_time"),
}
ROWS = {
    "of another product": ({"product_id": "good"}, "other_product"),
    "without product": ({"product_id": ""}, "other_product"),
    "of a product that belongs elsewhere": (
        {"product_id": AWAY, "image_id": image_id(AWAY, URL)}, "other_partition"),
    "with a null image id": ({"image_id": None}, "no_image_id"),
    "with a null product": ({"product_id": None}, "other_product"),
    "with a negative state": ({"state_seq": -1}, "sequence"),
    "with a negative image": ({"image_seq": -(2**63)}, "sequence"),
    "that is erased at another time": ({"valid": False, "erased_seq": sequence(EPOCH, 8)}, "sequence"),
    "that is erased and for sale": ({"erased_seq": sequence(EPOCH, 9)}, "sequence"),
    "with a negative vector": ({"vector_seq": -1}, "sequence"),
    "with a state of a later epoch": ({"state_seq": later_epoch()}, "sequence"),
    "with the last state of all": ({"state_seq": 2**63 - 1}, "sequence"),
    "with the last vector of all": ({"vector_seq": 2**63 - 1}, "sequence"),
    "for infinity": ({"price": float("inf")}, "number"),
    "for minus infinity": ({"price": float("-inf")}, "number"),
    "for less than nothing": ({"price": -0.01}, "number"),
    "for more than there is": ({"price": 1e300}, "number"),
    "sold minus two times": ({"sales": -2}, "number"),
    "sold too often": ({"sales": 2**63 - 1}, "number"),
    "praised too much": ({"praise": 1.01}, "number"),
    "praised infinitely": ({"praise": float("inf")}, "number"),
    "with a long URL": ({"url": "u" * 5000}, "text"),
    "with attributes that are no JSON": ({"attributes": b"\xff\x00{"}, "attributes"),
    "with attributes cut off": ({"attributes": b'{"title":"Ev'}, "attributes"),
    "with a list of attributes": ({"attributes": b"[1,2]"}, "attributes"),
    "with null attributes in JSON": ({"attributes": b"null"}, "attributes"),
    "with attributes nested deeply": ({"attributes": DEEP}, "attributes"),
    "with attributes nested a little too deeply": (
        {"attributes": b'{"a":' + b"[" * 40 + b"]" * 40 + b"}"}, "attributes"),
    "with a number beyond 64 bits": ({"attributes": b'{"a":' + b"9" * 40 + b"}"}, "attributes"),
    "with a number for a title": ({"attributes": b'{"title":7}'}, "attributes"),
    "with half a character in a text": ({"attributes": b'{"title":"\\ud800"}'}, "attributes"),
    "with bytes that are no text": ({"attributes": b'{"title":"\xff"}'}, "attributes"),
    "with a vector of odd length": ({"vector": b"abc"}, "vector"),
    "with a vector that is no number": (
        {"vector": np.full(DIMENSION, np.nan, "<f4").tobytes()}, "vector"),
    "with an infinite vector": ({"vector": np.full(DIMENSION, np.inf, "<f4").tobytes()}, "vector"),
    "with a huge vector": ({"vector": (1e30 * direction(1)).astype("<f4").tobytes()}, "vector"),
    "with a vector of length two": ({"vector": (2 * direction(1)).astype("<f4").tobytes()}, "vector"),
}  # fmt: skip
TEXT_TYPES: dict[str, pa.DataType] = {
    name: pa.string()
    for name in ("state_seq", "image_seq", "valid", "price", "sales", "praise", "vector_seq", "vector", "attributes")
}
OTHER_TYPES: dict[str, pa.DataType] = {
    **TEXT_TYPES,
    "image_id": pa.binary(15),
    "product_id": pa.int64(),
    "url": pa.list_(pa.string()),
    "category": pa.float64(),
    "brand": pa.struct([("a", pa.int64())]),
}
VALUES: dict[pa.DataType, Any] = {
    pa.string(): "7",
    pa.binary(15): b"x" * 15,
    pa.int64(): 7,
    pa.list_(pa.string()): ["x"],
    pa.float64(): 7.5,
    pa.struct([("a", pa.int64())]): {"a": 1},
}


def of_other_type(name: str) -> bytes:
    kind = OTHER_TYPES[name]
    return record([row(**{name: VALUES[kind]})], types={name: kind})


RECORDS = {
    **{f"{name} of another type": of_other_type(name) for name in OTHER_TYPES},
    "nothing": b"",
    "text": b"no delta at all",
    "JSON": b'{"type":"product_added"}',
    "rows without image ids": record([row()], drop=("image_id",)),
    "half of a record": record([row()])[:500],
    "rows under zstd": record([row()], compression="zstd"),
    "rows under lz4": record([row()], compression="lz4"),
    "ten megabytes of zeros in ten kilobytes": record([row(attributes=bytes(10_000_000))], compression="zstd"),
    "progress that is no list": record([], '{"a":1}'),
    "progress of texts": record([], '[["a","b","c","d"]]'),
    "progress of fractions": record([], "[[0,1,1.5,2.5]]"),
    "progress nested deeply": record([], "[" * 5000 + "]" * 5000),
    "a frame without a message": b"\xff\xff\xff\xff\x10\x00\x00\x00",
    "columns of nothing": record([dict.fromkeys(row())], types=dict.fromkeys(row(), pa.null())),
}


def good(fed: Fed, product: str, **options: Any) -> None:
    """What the stages write: one product more, and progress in both partitions."""
    for partition in range(PARTITIONS):
        deltas = batch(**options)
        if shard_of_product(product, PARTITIONS) == partition:
            listed(deltas, product, [direction(1)], price=9.5)
        fed.send(partition, deltas)


def is_well(fed: Fed, *products: str, watermark_ms: int) -> None:
    """These products alone are found, with their price, up to that time; and it can be said of the shard how it is."""
    fed.caught_up()
    answer = fed.searcher.search(query(direction(1), limit=100))
    assert sorted(hit.product_id for hit in hits(answer)) == sorted(products)
    assert {hit.price for hit in hits(answer)} <= {9.5}
    assert answer.watermark_ms == watermark_ms
    (status,) = fed.searcher.status().shards
    assert (status.ready, status.searchable) == (True, len(products))


@pytest.mark.parametrize("case", PROGRESS)
def test_progress_that_cannot_be_is_not_believed_and_the_watermark_goes_on(case: str, tmp_path: Path) -> None:
    said, reason = PROGRESS[case]
    with fed(tmp_path) as shard:
        good(shard, "good")
        is_well(shard, "good", watermark_ms=WATERMARK_MS)
        for partition in range(PARTITIONS):
            shard.send(partition, record([], [said]))
        good(shard, "better", timestamp_ms=WATERMARK_MS + 5)
        is_well(shard, "good", "better", watermark_ms=WATERMARK_MS + 5)
        assert dict(shard.searcher.status().shards[0].refused) == {reason: PARTITIONS}


def test_progress_that_cannot_be_does_not_take_the_true_one_beside_it_along(tmp_path: Path) -> None:
    with fed(tmp_path) as shard:
        for partition in range(PARTITIONS):
            entries = [progress(99, 1), progress(timestamp_ms=WATERMARK_MS + 7), progress(0, 77)]
            shard.send(partition, record([], entries))
        is_well(shard, watermark_ms=WATERMARK_MS + 7)


@pytest.mark.parametrize("case", ROWS)
def test_row_that_cannot_be_is_left_out_and_the_one_beside_it_is_taken(case: str, tmp_path: Path) -> None:
    changes, reason = ROWS[case]
    beside = next(f"beside{n}" for n in range(99) if shard_of_product(f"beside{n}", PARTITIONS) == HOME)
    url = f"https://shop.example/{beside}/0.jpg"
    with fed(tmp_path) as shard:
        good(shard, "good")
        true = row(product_id=beside, image_id=image_id(beside, url), url=url, price=9.5)
        shard.send(HOME, record([row(**changes), true]))
        good(shard, "better", timestamp_ms=WATERMARK_MS + 5)
        is_well(shard, "good", "better", beside, watermark_ms=WATERMARK_MS + 5)
        assert dict(shard.searcher.status().shards[0].refused) == {reason: 1}
        # What was refused has left no trace: the same product, as the stages write it, is taken.
        shard.send(HOME, listed(batch(), PRODUCT, [direction(1)], offset=10, price=9.5))
        is_well(shard, "good", "better", beside, PRODUCT, watermark_ms=WATERMARK_MS + 5)


@pytest.mark.parametrize("name", [name for name in DELTA_SCHEMA.names if name not in ("image_id", "product_id")])
def test_null_is_what_is_absent(name: str, tmp_path: Path) -> None:
    with fed(tmp_path) as shard:
        good(shard, "good")
        shard.send(HOME, record([row(**{name: None})]))
        good(shard, "better", timestamp_ms=WATERMARK_MS + 5)
        shard.caught_up()
        answer = shard.searcher.search(query(direction(1), limit=100))
        assert answer.watermark_ms == WATERMARK_MS + 5
        assert {"good", "better"} <= {hit.product_id for hit in hits(answer)}


@pytest.mark.parametrize("case", RECORDS)
def test_record_that_is_no_delta_is_passed_over(case: str, tmp_path: Path) -> None:
    with fed(tmp_path) as shard:
        good(shard, "good")
        shard.send(HOME, RECORDS[case])
        good(shard, "better", timestamp_ms=WATERMARK_MS + 5)
        is_well(shard, "good", "better", watermark_ms=WATERMARK_MS + 5)
        assert dict(shard.searcher.status().shards[0].refused) == {UNDECODABLE: 1}


def test_dictionary_of_attributes_that_is_compressed_is_seen_too() -> None:
    kind = pa.dictionary(pa.int32(), pa.binary())
    plain = record([row()], types={"attributes": kind})
    assert not is_compressed(plain)
    assert is_compressed(record([row()], types={"attributes": kind}, compression="zstd"))


def test_attributes_that_many_products_share_are_bounded_by_what_a_record_can_hold() -> None:
    blob = b'{"a":"' + b"x" * 1_000_000 + b'"}'
    rows = []
    for number in range(60):
        product, url = f"s{number}", f"https://shop.example/s{number}.jpg"
        if shard_of_product(product, PARTITIONS) == HOME:
            rows.append(row(product_id=product, url=url, image_id=image_id(product, url), attributes=blob, vector=None))
    taken = CHECK.admit(record(rows), HOME)
    assert len(taken.batch) == MOST_ATTRIBUTES_BYTES // len(blob) < len(rows)
    assert taken.refused == {"attributes": len(rows) - len(taken.batch)}


def test_what_was_refused_is_in_the_log_and_the_metrics(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    with fed(tmp_path) as shard:
        shard.send(HOME, record([row(price=float("inf"))], [progress(99, 1)]))
        shard.caught_up()
        metrics = shard.searcher.metrics
        assert metrics.refused("number")._value.get() == metrics.refused("progress")._value.get() == 1
    (line,) = [each.getMessage() for each in caplog.records if "event=delta_skipped" in each.getMessage()]
    assert f"partition={HOME} offset=0 refused=number:1,progress:1 of_rows=1" in line
    assert "next=" in line


@pytest.mark.anyio
async def test_every_route_answers_over_a_shard_that_was_sent_all_of_it(tmp_path: Path) -> None:
    with fed(tmp_path) as shard:
        good(shard, "good")
        for changes, _ in ROWS.values():
            shard.send(HOME, record([row(**changes)]))
        for said, _ in PROGRESS.values():
            shard.send(0, record([], [said]))
        for value in RECORDS.values():
            shard.send(HOME, value)
        shard.caught_up()
        async with serving(over(shard.searcher)) as client:
            await answers(client)


async def answers(client: httpx.AsyncClient) -> None:
    found = await post_vector(client, limit=50)
    assert found.status_code == 200, found.text
    for product in ("good", PRODUCT, AWAY):
        for path in (f"/v1/products/{product}/status", f"/v1/products/{product}/similar"):
            answer = await client.get(path)
            assert answer.status_code in (200, 404), (path, answer.text)
    index = (await client.get("/v1/index")).json()
    assert sum(index["shards"][0]["refused"].values()) >= len(ROWS) + len(PROGRESS)
    assert index["watermark"] is not None
    assert (await client.get("/metrics")).status_code == 200


@pytest.fixture
def anyio_backend() -> str:
    return "asyncio"
