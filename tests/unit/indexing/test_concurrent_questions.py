"""Filters, words, lists and counts beside a writer: hits pass as they are shown, and none that passes is missing."""

from __future__ import annotations

import json
import sys
import threading
from collections import Counter
from collections.abc import Callable, Iterator

import numpy as np
import pytest

from indexing.shard.questions.question import ShardQuestion
from indexing.shard.shard import Shard
from schemas.deltas.delta import DeltaBatch
from schemas.found import Hit
from schemas.ids import image_id
from schemas.query.facets import FacetWanted
from schemas.query.fields import values_of
from schemas.query.filters import And, AnyOf, holds, parse_filter
from schemas.query.indexed import Indexed
from tests.support.index.catalogue import EXTRACTOR, random_vectors

DIMENSION = 16
PRODUCTS = 200
STEADY = 20
"""Products that the writer leaves alone: cheap ones of acme."""
ROUNDS = 20
INDEXED = Indexed()
NO_VECTORS = np.empty((0, DIMENSION), np.float32)
CHEAP = parse_filter({"brand": "acme", "price": {"lt": 50}, "labels": "sale"}, INDEXED.fields)
EITHER = parse_filter(
    {"any": [{"brand": "acme", "price": {"lt": 50}}, {"brand": "nord", "price": {"gte": 50}}]}, INDEXED.fields
)
"""What every product passes before each change and after it, and would not with half of one."""


@pytest.fixture(autouse=True)
def threads_that_switch_often() -> Iterator[None]:
    before = sys.getswitchinterval()
    sys.setswitchinterval(1e-5)
    yield
    sys.setswitchinterval(before)


def write(batch: DeltaBatch, number: int, sequence: int, cheap: bool, vector: bytes | None = None) -> None:
    attributes = {
        "title": f"boot {'alpha' if cheap else 'beta'} {sequence}",
        "brand": "acme" if cheap else "nord",
        "labels": ["sale", "shoe"] if cheap else ["shoe"],
    }
    url = f"http://shop/{number}.jpg"
    batch.add(
        image_id(f"p{number}", url),
        f"p{number}",
        state_seq=sequence,
        valid=True,
        image_seq=sequence if vector else 1,
        url=url,
        price=10.0 if cheap else 90.0,
        sales=sequence,
        attributes=json.dumps(attributes).encode(),
        vector_seq=sequence if vector else 0,
        vector=vector,
    )


def filled() -> Shard:
    shard = Shard(EXTRACTOR, DIMENSION)
    shard.open_attributes(INDEXED)
    batch = DeltaBatch(EXTRACTOR)
    for number, vector in enumerate(random_vectors(PRODUCTS, DIMENSION)):
        write(batch, number, 1, cheap=True, vector=vector.tobytes())
    shard.apply(batch)
    return shard


def beside_a_writer(shard: Shard, *reads: Callable[[], None], new_images: bool = False) -> None:
    """Runs each read again and again in a thread of its own while products change price, brand, title and labels.

    new_images: and their vectors.
    """
    vectors = random_vectors(PRODUCTS, DIMENSION, seed=3)
    stop = threading.Event()
    failures: list[BaseException] = []
    counts = [0] * len(reads)

    def read(place: int) -> None:
        try:
            while not stop.is_set():
                reads[place]()
                counts[place] += 1
        except BaseException as error:  # noqa: BLE001  handed to the test's thread
            failures.append(error)

    readers = [threading.Thread(target=read, args=(place,)) for place in range(len(reads))]
    for reader in readers:
        reader.start()
    shuffler = np.random.default_rng(2)
    try:
        for sequence in range(2, 2 + ROUNDS):
            changing = STEADY + shuffler.permutation(PRODUCTS - STEADY)
            for chosen in np.array_split(changing, 20):
                batch = DeltaBatch(EXTRACTOR)
                for number in chosen.tolist():
                    vector = vectors[(number + sequence) % PRODUCTS].tobytes() if new_images else None
                    write(batch, number, sequence, cheap=sequence % 2 == 1, vector=vector)
                shard.apply(batch)
            if failures:
                break
    finally:
        stop.set()
        for reader in readers:
            reader.join()
    if failures:
        raise failures[0]
    assert min(counts) > 0


def check(hits: list[Hit], tree: object) -> set[str]:
    """Every hit passes as it is shown, and none is there twice."""
    for hit in hits:
        shown = values_of(INDEXED.fields, json.loads(hit.attributes), hit.price, hit.sales, hit.praise)
        assert holds(tree, shown), hit  # type: ignore[arg-type]
    found = Counter(hit.product_id for hit in hits)
    assert max(found.values(), default=1) == 1
    return set(found)


EVERY = {f"p{number}" for number in range(PRODUCTS)}
LEFT_ALONE = {f"p{number}" for number in range(STEADY)}


def test_hits_pass_as_they_are_shown_and_none_that_passes_is_missing() -> None:
    shard = filled()
    queries = random_vectors(2, DIMENSION, seed=1)

    def near() -> None:
        for hits in shard.answer(ShardQuestion(queries, PRODUCTS, tree=EITHER)).found:
            assert check(hits, EITHER) == EVERY
        for hits in shard.answer(ShardQuestion(queries, PRODUCTS, tree=CHEAP)).found:
            assert check(hits, CHEAP) >= LEFT_ALONE

    def lists() -> None:
        everything = ShardQuestion(NO_VECTORS, 1, tree=EITHER, listing=True, order_by="price", list_limit=PRODUCTS)
        assert check(shard.answer(everything).listed, EITHER) == EVERY
        cheap = ShardQuestion(NO_VECTORS, 1, tree=CHEAP, listing=True, order_by="-sales", list_limit=PRODUCTS)
        assert check(shard.answer(cheap).listed, CHEAP) >= LEFT_ALONE

    beside_a_writer(shard, near, lists)


def test_words_find_within_a_filter_whatever_changes() -> None:
    shard = filled()

    def words() -> None:
        both = ShardQuestion(NO_VECTORS, 1, tree=EITHER, words="boot ", list_limit=PRODUCTS)
        assert check(shard.answer(both).listed, EITHER) == EVERY
        any_of = ShardQuestion(NO_VECTORS, 1, tree=EITHER, words="alpha beta", any_word=True, list_limit=PRODUCTS)
        assert check(shard.answer(any_of).listed, EITHER) == EVERY
        cheap = ShardQuestion(NO_VECTORS, 1, tree=CHEAP, words="alpha ", list_limit=PRODUCTS)
        assert check(shard.answer(cheap).listed, CHEAP) >= LEFT_ALONE

    def without_filter() -> None:
        found = [
            hit.product_id for hit in shard.answer(ShardQuestion(NO_VECTORS, 1, words="bo", list_limit=500)).listed
        ]
        assert sorted(found) == sorted(EVERY)

    beside_a_writer(shard, words, without_filter)


def test_product_whose_image_is_replaced_is_found_all_the_while() -> None:
    shard = filled()
    queries = random_vectors(1, DIMENSION, seed=1)

    def near() -> None:
        (hits,) = shard.answer(ShardQuestion(queries, 10, tree=EITHER)).found
        assert len(check(hits, EITHER)) == 10

    def lists() -> None:
        for words in ("", "boot "):
            asked = ShardQuestion(NO_VECTORS, 1, tree=EITHER, words=words, listing=not words, list_limit=PRODUCTS)
            assert check(shard.answer(asked).listed, EITHER) == EVERY

    beside_a_writer(shard, near, lists, new_images=True)


def test_counts_are_of_whole_products() -> None:
    shard = filled()
    facets = (FacetWanted("brand"), FacetWanted("labels"), FacetWanted("price", (50.0,)))
    own = (FacetWanted("brand", exclude_own=True), FacetWanted("colour"))
    chosen = And((EITHER, AnyOf("brand", ("acme",))))

    def counts() -> None:
        asked = ShardQuestion(NO_VECTORS, 1, tree=EITHER, listing=True, facets=facets)
        answer = shard.answer(asked)
        assert answer.matches == PRODUCTS
        brand, labels, price = answer.facets
        assert sum(brand.counts) == brand.products == PRODUCTS
        assert dict(zip(labels.values, labels.counts, strict=True))["shoe"] == PRODUCTS
        assert sum(price.bucket_counts) == PRODUCTS

    def near() -> None:
        assert (
            shard.answer(ShardQuestion(random_vectors(1, DIMENSION), 3, tree=EITHER, facets=facets)).matches == PRODUCTS
        )

    def without_their_own_filter() -> None:
        for asked in (
            ShardQuestion(NO_VECTORS, 1, tree=chosen, words="boot ", list_limit=1, facets=own),
            ShardQuestion(random_vectors(1, DIMENSION), 1, tree=chosen, facets=own),
        ):
            answer = shard.answer(asked)
            assert sum(answer.facets[0].counts) == PRODUCTS
            assert STEADY <= answer.matches <= PRODUCTS

    beside_a_writer(shard, counts, near, without_their_own_filter)


def test_names_are_of_what_is_on_sale_whatever_changes() -> None:
    shard = filled()

    def names() -> None:
        (brand,) = shard.names("acm", 5)
        assert (brand.field, brand.text) == ("brand", "acme")
        assert STEADY <= brand.products <= PRODUCTS
        assert ("title", "boot alpha 1") in {(name.field, name.text) for name in shard.names("boot alpha 1", 5)}

    beside_a_writer(shard, names, new_images=True)
