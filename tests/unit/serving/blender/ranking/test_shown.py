"""What a picture shows, from a shard's row to who asks, over the wire, and as the client reads it."""

from __future__ import annotations

import msgspec
import numpy as np
import pytest

import vitrine_client
from indexing.shard.shard import Shard
from schemas.deltas.delta import DeltaBatch
from schemas.features.colours.told import NAMES
from schemas.features.said import with_said
from schemas.features.stored import feature_bytes
from schemas.found import Hit, decode_found, encode_found
from schemas.ids import image_id
from schemas.search_pb2 import Found
from serving.blender.ranking.explain import shown_in
from tests.support.pictures.looks import FEATURES, base_rows, small_look

LOOK = small_look(1)
BARE = feature_bytes(base_rows(2, seed=4), FEATURES)


def over_the_wire(hits: list[Hit]) -> list[Hit]:
    return decode_found(Found.FromString(encode_found([hits]).SerializeToString()), 1)[0]


@pytest.fixture
def shard() -> Shard:
    shard = Shard(LOOK.extractor_id, LOOK.dimension, LOOK)
    batch = DeltaBatch(FEATURES)
    for product, feature in (("told", with_said(BARE[0], ["SUNRISE"], ["person"])), ("bare", BARE[1])):
        batch.add(
            image_id(product, "u"), product, state_seq=1, valid=True, image_seq=1, url="u", vector_seq=1, vector=feature
        )
    shard.apply(batch)
    return shard


def test_what_a_picture_shows_comes_to_who_asks_for_it(shard: Shard) -> None:
    found = shard.search(LOOK.vectors([BARE[0]]), 2)[0]
    assert all(not hit.said and not hit.colours for hit in found), "most do not ask"
    told, bare = over_the_wire([shard.with_shown(hit) for hit in found])
    assert (told.product_id, bare.product_id) == ("told", "bare")
    shown = shown_in(told)
    assert shown is not None and (shown["objects"], shown["words"]) == (["person"], "SUNRISE")
    assert "objects" not in (shown_in(bare) or {}) and "words" not in (shown_in(bare) or {})


def test_colours_are_told_by_name() -> None:
    hit = Hit(b"i" * 16, "p", 0.5, "u", 1.0, 1, 0.5, b"", 1, colours=(1 << NAMES.index("blue")) | 7 << len(NAMES))
    shown = shown_in(over_the_wire([hit])[0])
    assert shown == {"colour": "blue", "colours": ["blue"]}
    assert msgspec.convert(shown, vitrine_client.Shown) == vitrine_client.Shown(colour="blue", colours=("blue",))
    assert shown_in(msgspec.structs.replace(hit, colours=0)) is None


def test_picture_that_is_awaited_says_nothing(shard: Shard) -> None:
    hit = shard.search(LOOK.vectors([BARE[0]]), 1)[0][0]
    newer = DeltaBatch(FEATURES)
    newer.add(image_id("told", "u"), "told", state_seq=2, valid=True, image_seq=2, url="u")
    shard.apply(newer)
    shown = shard.with_shown(hit)
    assert (shown.colours, shown.said) == (0, b"")
    assert np.isfinite(shown.score)
