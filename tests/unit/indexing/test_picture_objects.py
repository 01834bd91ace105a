"""Objects that pictures show as a field of a shard: fed in any order, restored, and built."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import msgspec
import numpy as np

from indexing.build.builder import ShardBuilder
from indexing.shard.questions.question import ShardQuestion
from indexing.shard.shard import Shard
from indexing.snapshot import snapshot
from schemas.deltas.delta import DeltaBatch
from schemas.features.said import with_said
from schemas.features.stored import feature_bytes
from schemas.ids import image_id
from schemas.query.facets import FacetWanted
from schemas.query.fields import Fields
from schemas.query.filters import parse_filter
from schemas.query.indexed import Indexed
from tests.support.pictures.looks import FEATURES, base_rows, small_look

LOOK = small_look(1)
BARE = feature_bytes(base_rows(7, seed=6), FEATURES)
WORN = with_said(BARE[5], [], ["person"])
SHOP: dict[str, tuple[dict[str, Any], list[bytes]]] = {
    "worn": ({"title": "Shirt"}, [BARE[0], with_said(BARE[1], [], ["person"])]),
    "printed": ({"title": "Shirt"}, [with_said(BARE[2], ["coffee"], ["person"])]),
    "said": ({"title": "Shirt", "objects": ["mannequin"]}, [with_said(BARE[3], [], ["person"])]),
    "plain": ({"title": "Shirt"}, [BARE[4]]),
}


def row(product: str, number: int, *parts: str, sequence: int = 1, feature: bytes = b"") -> DeltaBatch:
    attributes, pictures = SHOP[product]
    text = msgspec.json.encode(attributes)
    state = {"state_seq": sequence, "valid": True, "image_seq": sequence, "url": f"u{number}", "attributes": text}
    vector = {"vector_seq": sequence, "vector": feature or pictures[number]}
    wanted: dict[str, Any] = {**(state if "state" in parts else {}), **(vector if "vector" in parts else {})}
    batch = DeltaBatch(FEATURES)
    batch.add(image_id(product, f"u{number}"), product, **wanted)
    return batch


def rows(*parts: str) -> list[DeltaBatch]:
    return [row(product, number, *parts) for product, (_, all_) in SHOP.items() for number in range(len(all_))]


def fed(*batches: DeltaBatch) -> Shard:
    shard = Shard(LOOK.extractor_id, LOOK.dimension, LOOK)
    shard.open_attributes(Indexed())
    for batch in batches:
        shard.apply(batch)
    return shard


def asked(shard: Shard, **question: Any) -> Any:
    return shard.answer(ShardQuestion(np.empty((0, LOOK.dimension), np.float32), 1, list_limit=50, **question))


def passing(shard: Shard, condition: dict[str, Any]) -> set[str]:
    answer = asked(shard, tree=parse_filter(condition, Fields()), listing=True)
    return {hit.product_id for hit in answer.listed}


def counted(shard: Shard) -> dict[str, int]:
    facet = asked(shard, listing=True, facets=(FacetWanted("objects"),)).facets[0]
    return dict(zip(facet.values, facet.counts, strict=True))


def contents(shard: Shard) -> list[Any]:
    found = [passing(shard, {"objects": name}) for name in ("person", "mannequin")]
    words = {hit.product_id for hit in asked(shard, words="coffee ").listed}
    return [*found, counted(shard), words, shard.stats().digest]


def test_picture_says_what_it_shows_where_the_shop_says_nothing() -> None:
    shard = fed(*rows("state", "vector"))
    assert passing(shard, {"objects": "person"}) == {"worn", "printed"}
    assert passing(shard, {"objects": "mannequin"}) == {"said"}, "what the shop says counts alone"
    assert passing(shard, {"objects": {"exists": False}}) == {"plain", "worn"}, "by its other picture"
    assert counted(shard) == {"person": 2, "mannequin": 1}
    assert {hit.product_id for hit in asked(shard, words="coffee ").listed} == {"printed"}
    assert not asked(shard, words="person ").listed, "objects are no words"


def test_fed_in_any_order_restored_or_built_it_is_the_same(tmp_path: Path) -> None:
    shard = fed(*rows("state", "vector"))
    expected = contents(shard)
    for seed in range(4):
        batches = [*rows("state"), *rows("vector"), *rows("vector")]
        order = np.random.default_rng(seed).permutation(len(batches))
        assert contents(fed(*(batches[place] for place in order))) == expected
    snapshot.publish(shard.contents(), tmp_path / "kept", {0: 1})
    restored = snapshot.restore(tmp_path / "kept", LOOK)[0]
    with ShardBuilder(tmp_path / "s0", LOOK.extractor_id, LOOK.dimension, None, LOOK) as builder:
        for batch in rows("state", "vector"):
            builder.add(batch)
        builder.seal({0: 7}, "g7")
    built = snapshot.load_files(tmp_path / "s0", LOOK)[0]
    for other in (restored, built):
        other.open_attributes(Indexed())
        assert contents(other) == expected
        assert other.recompute_digest() == other.stats().digest
        other.apply(row("printed", 0, "state", "vector", sequence=9, feature=BARE[6]))
        assert passing(other, {"objects": "person"}) == {"worn"}, "another picture, other objects"


def test_objects_go_with_their_picture() -> None:
    shard = fed(*rows("state", "vector"))
    removed = DeltaBatch(FEATURES)
    removed.add(image_id("worn", "u1"), "worn", state_seq=5, image_seq=1, url="u1")
    shard.apply(removed)
    assert passing(shard, {"objects": "person"}) == {"printed"}
    shard.apply(row("printed", 0, "state", sequence=6))
    assert counted(shard) == {"mannequin": 1}, "of a picture that is not looked at yet nothing is known"
    shard.apply(row("printed", 0, "vector", sequence=6, feature=WORN))
    assert passing(shard, {"objects": "person"}) == {"printed"}
    erased = DeltaBatch(FEATURES)
    erased.add(image_id("printed", "u0"), "printed", state_seq=8, image_seq=8, erased_seq=8)
    shard.apply(erased)
    shard.scrub()
    assert counted(shard) == {"mannequin": 1}
    assert sum(bytes(chunk).count(b"person") for chunk in shard.contents().texts) == 2, "of those that are not erased"
