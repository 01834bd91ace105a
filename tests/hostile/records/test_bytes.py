"""Deltas with bytes changed at random, and any values in the right columns: the shard goes on."""

from __future__ import annotations

import json
import random
import time
from typing import Any

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from indexing.shard.deltas import ShardDeltas
from indexing.shard.shard import Shard
from schemas.deltas.delta import Progress, encode_deltas
from tests.hostile.records.forged import (
    CHECK,
    HOME,
    PARTITIONS,
    PRODUCT,
    URL,
    progress,
    record,
    row,
    vars_of,
)
from tests.support.serving.world import DIMENSION, EXTRACTOR, batch, direction, listed

SEED = 20261124
numbers = st.one_of(st.integers(-(2**63), 2**63 - 1), st.integers(-3, 3), st.none())
floats = st.one_of(st.floats(width=64), st.none())
texts = st.one_of(st.text(max_size=8), st.none(), st.just(PRODUCT), st.just(URL))
blobs = st.one_of(st.binary(max_size=80), st.none(), st.just(b"{}"), st.just(direction(1).tobytes()))
objects = st.dictionaries(st.text(max_size=5), floats).map(lambda value: json.dumps(value).encode())


def test_no_record_with_bytes_changed_stops_a_shard() -> None:
    """Seeded: bytes of true records, changed, cut and doubled. Nothing raises, and the digest is that of the rows."""
    chooser = random.Random(SEED)
    deltas = batch()
    for number in range(5):
        listed(deltas, f"x{number}", [direction(number)])
    originals = [encode_deltas(deltas), encode_deltas(batch()), record([row()], [progress()])]
    shard, mine = Shard(EXTRACTOR, DIMENSION), ShardDeltas(0, 1, PARTITIONS)
    for _ in range(3000):
        value = bytearray(chooser.choice(originals))
        for _ in range(chooser.randint(1, 4)):
            place = chooser.randrange(len(value))
            match chooser.randrange(4):
                case 0:
                    value[place] ^= 1 << chooser.randrange(8)
                case 1:
                    value[place : place + 4] = chooser.choice([b"\xff\xff\xff\xff", b"\xff\xff\xff\x7f", bytes(4)])
                case 2:
                    del value[place : place + chooser.randint(1, 64)]
                case _:
                    value[place:place] = value[place : place + chooser.randint(1, 64)]
        partition = chooser.randrange(PARTITIONS)
        shard.apply(mine.of(CHECK.admit(bytes(value), partition).batch, partition))
    assert shard.watermark_ms() <= time.time() * 1000 + 300_000
    assert shard.recompute_digest() == shard.stats().digest
    shard.search(np.stack([direction(1)]), 100)


@settings(max_examples=60)
@given(
    st.lists(
        st.fixed_dictionaries(
            {},
            optional={
                "image_id": st.one_of(st.binary(min_size=16, max_size=16), st.none()),
                "product_id": texts,
                "state_seq": numbers,
                "valid": st.one_of(st.booleans(), st.none()),
                "image_seq": numbers,
                "url": texts,
                "category": texts,
                "brand": texts,
                "price": floats,
                "sales": numbers,
                "praise": floats,
                "attributes": st.one_of(blobs, objects),
                "vector_seq": numbers,
                "vector": blobs,
            },
        ),
        max_size=6,
    ),
    st.lists(st.builds(Progress, *[st.integers(-(2**70), 2**70)] * 4), max_size=3),
)
def test_any_values_in_the_right_columns_leave_a_shard_that_answers(
    changes: list[dict[str, Any]], said: list[Progress]
) -> None:
    shard, mine = Shard(EXTRACTOR, DIMENSION), ShardDeltas(0, 1, PARTITIONS)
    text = json.dumps([list(vars_of(entry)) for entry in said])
    taken = CHECK.admit(record([row(**each) for each in changes], text), HOME)
    shard.apply(mine.of(taken.batch, HOME))
    for hit in shard.search(np.stack([direction(1)]), 100)[0]:
        assert isinstance(json.loads(hit.attributes or b"{}"), dict)
        assert 0 <= hit.price < 1e15 or hit.price != hit.price
    assert shard.watermark_ms() in (0, *(entry.timestamp_ms for entry in said))
