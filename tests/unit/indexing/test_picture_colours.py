"""Colours of pictures as filters and facets of a shard: fed in any order, restored, and built."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import msgspec
import numpy as np
import pytest

from indexing.build.builder import ShardBuilder
from indexing.shard.questions.question import ShardQuestion
from indexing.shard.shard import Shard
from indexing.snapshot import snapshot
from schemas.deltas.delta import DeltaBatch
from schemas.ids import image_id
from schemas.query.facets import FacetWanted
from schemas.query.fields import Fields
from schemas.query.filters import parse_filter
from schemas.query.indexed import Indexed
from tests.support.pictures.colours import FOCAL, features_of, picture
from tests.support.pictures.looks import FEATURES, small_look

LOOK = small_look(1)
GOLD, BLUE, BOTH = features_of(
    picture((FOCAL["yellow"], 60)),
    picture((FOCAL["blue"], 60)),
    picture((FOCAL["yellow"], 20), (FOCAL["blue"], 20), (FOCAL["green"], 20)),
)
SHOP: dict[str, tuple[dict[str, Any], list[bytes]]] = {
    "plain": ({"title": "Shoe"}, [GOLD]),
    "striped": ({"title": "Scarf"}, [BOTH]),
    "named": ({"title": "Hat", "colour": "Crimson"}, [GOLD]),
    "listed": ({"title": "Bag", "colours": ["teal"]}, [BLUE]),
    "two": ({"title": "Shoe"}, [GOLD, BLUE]),
    "bare": ({}, [BLUE]),
}


def deltas(*parts: str, sequence: int = 1) -> list[DeltaBatch]:
    """Of every image a batch of its own for each of these parts: state, vector, or both."""
    batches = []
    for product, (attributes, pictures) in SHOP.items():
        for number, feature in enumerate(pictures):
            for part in parts:
                batch = DeltaBatch(FEATURES)
                state = {
                    "state_seq": sequence, "valid": True, "image_seq": 1, "url": f"u{number}",
                    "attributes": msgspec.json.encode(attributes),
                }  # fmt: skip
                vector = {"vector_seq": sequence, "vector": feature}
                row = {**(state if part != "vector" else {}), **(vector if part != "state" else {})}
                batch.add(image_id(product, f"u{number}"), product, **row)  # type: ignore[arg-type]
                batches.append(batch)
    return batches


def fed(*batches: DeltaBatch, indexed: Indexed | None = None) -> Shard:
    shard = Shard(LOOK.extractor_id, LOOK.dimension, LOOK)
    shard.open_attributes(indexed or Indexed())
    for batch in batches:
        shard.apply(batch)
    return shard


def passing(shard: Shard, condition: dict[str, Any]) -> set[str]:
    tree = parse_filter(condition, Fields())
    nothing = np.empty((0, LOOK.dimension), np.float32)
    answer = shard.answer(ShardQuestion(nothing, 1, tree=tree, listing=True, list_limit=50))
    assert len(answer.listed) == answer.matches
    return {hit.product_id for hit in answer.listed}


def counted(shard: Shard, field: str) -> dict[str, int]:
    nothing = np.empty((0, LOOK.dimension), np.float32)
    answer = shard.answer(ShardQuestion(nothing, 1, listing=True, list_limit=1, facets=(FacetWanted(field),)))
    facet = answer.facets[0]
    return dict(zip(facet.values, facet.counts, strict=True)) | {"": facet.products}


def contents(shard: Shard) -> list[Any]:
    """What filters, facets and the digest say."""
    names = ("yellow", "blue", "green", "Crimson", "teal")
    passes = [passing(shard, {field: name}) for field in ("colour", "colours") for name in names]
    return [*passes, counted(shard, "colour"), counted(shard, "colours"), shard.stats().digest]


def test_picture_tells_its_colours_where_the_shop_says_nothing() -> None:
    shard = fed(*deltas("both"))
    assert passing(shard, {"colour": "yellow"}) == {"plain", "two"}
    assert passing(shard, {"colour": "blue"}) == {"listed", "two", "bare"}
    assert passing(shard, {"colour": "Crimson"}) == {"named"}
    assert passing(shard, {"colours": "yellow"}) == {"plain", "striped", "named", "two"}
    assert passing(shard, {"colours": {"all": ["yellow", "green"]}}) == {"striped"}
    assert passing(shard, {"colours": "teal"}) == {"listed"}
    assert passing(shard, {"colour": {"exists": False}}) == {"striped"}


def test_product_counts_once_for_each_colour_of_its_pictures() -> None:
    shard = fed(*deltas("both"))
    assert counted(shard, "colour") == {"yellow": 2, "blue": 3, "Crimson": 1, "": 5}
    assert counted(shard, "colours") == {"yellow": 4, "blue": 3, "green": 1, "teal": 1, "": 6}
    for field in ("colour", "colours"):
        for name, products in counted(shard, field).items():
            assert not name or len(passing(shard, {field: name})) == products


def test_fed_in_any_order_restored_or_built_it_is_the_same(tmp_path: Path) -> None:
    shard = fed(*deltas("both"))
    expected = contents(shard)
    for seed in range(4):
        batches = deltas("state", "vector") + deltas("vector")
        order = np.random.default_rng(seed).permutation(len(batches))
        assert contents(fed(*(batches[place] for place in order))) == expected
    snapshot.publish(shard.contents(), tmp_path / "kept", {0: 1})
    restored = snapshot.restore(tmp_path / "kept", LOOK)[0]
    with ShardBuilder(tmp_path / "s0", LOOK.extractor_id, LOOK.dimension, None, LOOK) as builder:
        for batch in deltas("both"):
            builder.add(batch)
        builder.seal({0: 7}, "g7")
    built = snapshot.load_files(tmp_path / "s0", LOOK)[0]
    for other in (restored, built):
        other.open_attributes(Indexed())
        assert contents(other) == expected


def test_another_picture_has_its_own_colours_and_the_old_ones_are_gone() -> None:
    shard = fed(*deltas("both"))
    image, text = image_id("plain", "u0"), msgspec.json.encode({"title": "Shoe"})
    replaced, came = DeltaBatch(FEATURES), DeltaBatch(FEATURES)
    replaced.add(image, "plain", state_seq=5, valid=True, image_seq=5, url="u0", attributes=text)
    came.add(image, "plain", vector_seq=5, vector=BLUE)
    shard.apply(replaced)
    assert "plain" not in passing(shard, {"colours": {"exists": True}}), "the picture before says nothing of this one"
    shard.apply(came)
    assert "plain" in passing(shard, {"colour": "blue"}) and "plain" not in passing(shard, {"colours": "yellow"})
    priced = DeltaBatch(FEATURES)
    priced.add(image, "plain", state_seq=6, valid=True, image_seq=5, url="u0", price=3.0, attributes=text)
    shard.apply(priced)
    assert "plain" in passing(shard, {"colour": "blue", "price": 3})
    said = DeltaBatch(FEATURES)
    named = msgspec.json.encode({"title": "Shoe", "colour": "Sky"})
    said.add(image, "plain", state_seq=7, valid=True, image_seq=5, url="u0", attributes=named)
    shard.apply(said)
    assert passing(shard, {"colour": "Sky"}) == {"plain"} and "plain" not in passing(shard, {"colour": "blue"})


@pytest.mark.parametrize("restored", [False, True])
def test_setting_leaves_colours_to_the_shop(tmp_path: Path, restored: bool) -> None:
    without = Indexed(picture_colours=False)
    shard = fed(*deltas("both"), indexed=without)
    if restored:
        snapshot.publish(shard.contents(), tmp_path, {0: 1})
        shard = snapshot.restore(tmp_path, LOOK)[0]
        shard.open_attributes(without)
    assert counted(shard, "colour") == {"Crimson": 1, "": 1}
    assert counted(shard, "colours") == {"teal": 1, "": 1}
