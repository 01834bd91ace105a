"""Words in pictures, found like a title's and below it: fed in any order, restored, and built."""

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
from schemas.query.indexed import Indexed
from tests.support.pictures.looks import FEATURES, base_rows, small_look

LOOK = small_look(1)
BARE = feature_bytes(base_rows(6, seed=4), FEATURES)
SHOP = {
    "titled": ("Sunrise shirt", [BARE[0]]),
    "printed": ("Shirt", [with_said(BARE[1], ["SUNRISE", "coffee club"])]),
    "turned": ("Shirt", [BARE[2], with_said(BARE[3], ["coffee"])]),
    "plain": ("Shirt", [BARE[4]]),
}


def row(product: str, number: int, *parts: str, sequence: int = 1, feature: bytes | None = None) -> DeltaBatch:
    title, pictures = SHOP[product]
    batch = DeltaBatch(FEATURES)
    text = msgspec.json.encode({"title": title})
    state = {"state_seq": sequence, "valid": True, "image_seq": sequence, "url": f"u{number}", "attributes": text}
    vector = {"vector_seq": sequence, "vector": feature or pictures[number]}
    wanted: dict[str, Any] = {**(state if "state" in parts else {}), **(vector if "vector" in parts else {})}
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


def found(shard: Shard, words: str) -> list[str]:
    nothing = np.empty((0, LOOK.dimension), np.float32)
    answer = shard.answer(ShardQuestion(nothing, 1, words=f"{words} ", list_limit=10))
    assert not answer.corrected or words not in answer.corrected
    return [hit.product_id for hit in answer.listed]


def contents(shard: Shard) -> list[Any]:
    return [*(found(shard, words) for words in ("sunrise", "coffee", "club", "shirt")), shard.stats().digest]


def test_words_in_a_picture_find_its_product_below_a_title() -> None:
    shard = fed(*rows("state", "vector"))
    assert found(shard, "sunrise") == ["titled", "printed"]
    assert set(found(shard, "coffee")) == {"printed", "turned"}
    assert found(shard, '"coffee club"') == ["printed"]
    assert shard.stats().ignored_vectors == 0
    hit = shard.search(LOOK.vectors([BARE[1]]), 1)[0][0]
    assert (hit.product_id, hit.url) == ("printed", "u0"), "words are no part of a URL, and change no vector"


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
        other.apply(row("printed", 0, "state", "vector", sequence=9, feature=BARE[5]))
        assert found(other, "sunrise") == ["titled"], "another picture, other words"


def test_words_go_with_their_picture() -> None:
    shard = fed(*rows("state", "vector"))
    removed = DeltaBatch(FEATURES)
    removed.add(image_id("turned", "u1"), "turned", state_seq=5, image_seq=1, url="u1")
    shard.apply(removed)
    assert found(shard, "coffee") == ["printed"]
    shard.apply(row("printed", 0, "state", sequence=6))
    assert found(shard, "coffee") == [], "of a picture that is not looked at yet nothing is known"
    shard.apply(row("printed", 0, "vector", sequence=6, feature=with_said(BARE[5], ["tea"])))
    assert (found(shard, "tea"), found(shard, "coffee")) == (["printed"], [])
    erased = DeltaBatch(FEATURES)
    erased.add(image_id("printed", "u0"), "printed", state_seq=8, image_seq=8, erased_seq=8)
    shard.apply(erased)
    shard.scrub()
    assert found(shard, "tea") == []
    assert not any(b"tea" in bytes(chunk) for chunk in shard.contents().texts)
