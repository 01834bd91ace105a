"""Of what was erased no byte is left in a shard's memory or in its next snapshot, in whatever order deltas come."""

from __future__ import annotations

import gc
import json
import random
import tempfile
from array import array
from collections.abc import Iterator
from pathlib import Path
from types import BuiltinFunctionType, FunctionType, ModuleType
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from indexing.lists.kinds import IndexKind
from indexing.shard.shard import Shard
from indexing.snapshot.snapshot import restore, save
from schemas.deltas.delta import DeltaBatch, decode_deltas, encode_deltas
from schemas.ids import image_id
from schemas.query.fields import Fields
from schemas.query.indexed import Indexed

EXTRACTOR = "test/1"
DIMENSION = 8
GONE, KEPT = "MARKER-gone", "MARKER-kept"


def vector_of(name: str) -> bytes:
    values = np.random.default_rng(list(name.encode())).standard_normal(DIMENSION).astype("<f4")
    return bytes((values / np.linalg.norm(values)).tobytes())


def attributes_of(product: str, sequence: int, brand: str) -> bytes:
    """Words, keywords and list entries that only this product has, another title and labels with each state."""
    own = product.partition("-")[2]
    attributes = {
        "title": f"{product} {sequence} {own}word{sequence}",
        "brand": brand,
        "category": f"{own}/category/{sequence}",
        "labels": [f"{own}-label", f"{own}-label-{sequence}"],
        "material": f"{own}-material-{sequence}",
        "care": f"{own} by hand {sequence}",
    }
    return json.dumps(attributes).encode()


def listed(product: str, number: int, sequence: int, brand: str, vector: bytes | None) -> DeltaBatch:
    batch = DeltaBatch(EXTRACTOR)
    url = f"http://{product}/{number}.jpg"
    batch.add(
        image_id(product, url),
        product,
        state_seq=sequence,
        valid=True,
        image_seq=sequence,
        url=url,
        category=f"{product}-category-{sequence}",
        brand=brand,
        price=float(sequence),
        attributes=attributes_of(product, sequence, brand),
        vector_seq=sequence if vector else 0,
        vector=vector,
    )
    return batch


def erased(product: str, images: int, sequence: int) -> DeltaBatch:
    batch = DeltaBatch(EXTRACTOR)
    for number in range(images):
        key = image_id(product, f"http://{product}/{number}.jpg")
        batch.add(key, product, state_seq=sequence, image_seq=sequence, erased_seq=sequence)
    return batch


def history(images: int) -> tuple[list[DeltaBatch], list[bytes]]:
    """Two products that were updated and got new vectors, one of them erased; and what must be gone."""
    batches, vectors = [], []
    for sequence in range(1, 4):
        for number in range(images):
            vector = vector_of(f"{GONE}{number}{sequence}")
            vectors.append(vector)
            batches.append(listed(GONE, number, sequence, f"{GONE}-brand", vector))
            batches.append(listed(KEPT, number, sequence, f"{KEPT}-brand", vector_of(f"{KEPT}{number}{sequence}")))
    return [*batches, erased(GONE, images, 9)], vectors


def memory_of(shard: Shard) -> Iterator[bytes]:
    contents = shard.contents()
    yield contents.rows.tobytes()
    yield from map(bytes, contents.texts)
    for codes, _ in contents.lists:
        yield np.ascontiguousarray(codes[:]).tobytes()
    yield repr((contents.categories, contents.brands)).encode()


def files_of(folder: Path) -> Iterator[bytes]:
    for file in folder.rglob("*"):
        if file.is_file():
            yield file.read_bytes()


def reachable_from(root: object) -> Iterator[bytes]:
    """The bytes of every text, array and buffer that an object leads to, code left out."""
    seen, stack = set[int](), [root]
    while stack:
        each: Any = stack.pop()
        if id(each) in seen or isinstance(each, type | ModuleType | FunctionType | BuiltinFunctionType):
            continue
        seen.add(id(each))
        match each:
            case str():
                yield each.encode(errors="replace")
            case bytes() | bytearray() | memoryview() | array():
                yield bytes(each)
            case np.ndarray():
                yield each.tobytes()
        if isinstance(each, np.ndarray | memoryview):
            stack.append(each.base if isinstance(each, np.ndarray) else each.obj)
        stack += gc.get_referents(each)
        stack += [getattr(each, name, None) for name in getattr(type(each), "__slots__", ())]


INDEXED = Indexed(Fields.declared(["material:keyword"]), ("care",), "")


@settings(max_examples=10, deadline=None)
@given(st.integers(0, 2**32), st.integers(1, 2), st.sampled_from(["", "english"]))
def test_no_word_and_no_name_is_left_in_memory(seed: int, images: int, language: str) -> None:
    chance = random.Random(seed)
    batches, _ = history(images)
    again = batches + chance.sample(batches, len(batches) // 2)
    chance.shuffle(again)
    indexed = Indexed(INDEXED.fields, INDEXED.text_attributes, language)
    shard = Shard(EXTRACTOR, DIMENSION)
    shard.open_attributes(indexed)
    for batch in again:
        shard.apply(decode_deltas(encode_deltas(batch)))
    with tempfile.TemporaryDirectory() as folder:
        save(shard, Path(folder), {0: 2})
        gc.collect()
        for data in [*reachable_from(shard._state), *reachable_from(shard._answering), *files_of(Path(folder))]:
            assert b"gone" not in data.lower()
        assert any(b"keptword3" in data for data in reachable_from(shard._state)), "the search looks where words are"
        assert any(b"kept-label-3" in data for data in reachable_from(shard._state))
        shard, _ = restore(Path(folder))
        shard.open_attributes(indexed)
        assert not any(b"gone" in data.lower() for data in reachable_from(shard._state))
    assert shard.suggest("go", 5) == shard.names("go", 5) == []
    assert shard.suggest("keptw", 5) == [("keptword3", 1)]


@settings(max_examples=25, deadline=None)
@given(st.integers(0, 2**32), st.integers(1, 3), st.booleans())
def test_no_byte_is_left_whatever_the_order(seed: int, images: int, restarts: bool) -> None:
    chance = random.Random(seed)
    batches, vectors = history(images)
    again = batches + chance.sample(batches, len(batches) // 2)
    chance.shuffle(again)
    shard = Shard(EXTRACTOR, DIMENSION)
    with tempfile.TemporaryDirectory() as folder:
        for batch in again:
            shard.apply(decode_deltas(encode_deltas(batch)))
            if restarts and chance.random() < 0.2:
                save(shard, Path(folder), {0: 1})
                shard, _ = restore(Path(folder))
        save(shard, Path(folder), {0: 2})
        assert not shard.unscrubbed
        for data in [*memory_of(shard), *files_of(Path(folder))]:
            assert GONE.encode() not in data
            assert not any(vector in data for vector in vectors)
        _check_kept(shard, images)
        shard, _ = restore(Path(folder))
        _check_kept(shard, images)


def _check_kept(shard: Shard, images: int) -> None:
    kept = shard.product(KEPT)
    assert [len(shard.product(product)) for product in (GONE, KEPT)] == [0, images]
    assert all(image.attributes == attributes_of(KEPT, 3, f"{KEPT}-brand") for image in kept)
    assert {image.vector for image in kept} == {vector_of(f"{KEPT}{number}3") for number in range(images)}
    assert shard.stats().digest == shard.recompute_digest()


def test_a_product_listed_anew_is_found_and_its_old_bytes_are_gone() -> None:
    batches, vectors = history(2)
    fresh = vector_of("fresh")
    shard = Shard(EXTRACTOR, DIMENSION)
    for batch in [*batches, listed(GONE, 0, 12, "other", fresh)]:
        shard.apply(batch)
    with tempfile.TemporaryDirectory() as folder:
        save(shard, Path(folder), {0: 1})
        shard, _ = restore(Path(folder))
        assert not any(vector in data for vector in vectors for data in files_of(Path(folder)))
    (image,) = shard.product(GONE)
    assert (image.vector, image.attributes) == (fresh, attributes_of(GONE, 12, "other"))
    (hit,) = shard.search(np.frombuffer(fresh, "<f4")[None], 1)[0]
    assert hit.product_id == GONE


def test_vectors_that_a_training_copied_meanwhile_go_as_well(monkeypatch: pytest.MonkeyPatch) -> None:
    batches, vectors = history(2)
    shard = Shard(EXTRACTOR, DIMENSION)
    for batch in batches[:-1]:
        shard.apply(batch)
    lists = type(shard._state.lists)
    build = lists.rebuilt

    def rebuilt(self, *arguments, **options):  # type: ignore[no-untyped-def]
        new = build(self, *arguments, **options)
        shard.apply(batches[-1])  # erased while the new lists, which have the vectors, are not in use yet
        shard.scrub()
        return new

    monkeypatch.setattr(lists, "rebuilt", rebuilt)
    shard.train(2, nprobe=2, threads=1)
    assert shard._state.lists.kind == IndexKind.IVF_FLAT
    assert shard.unscrubbed
    shard.scrub()
    assert not any(vector in data for vector in vectors for data in memory_of(shard))
