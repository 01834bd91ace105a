"""Searches beside a writer that churns, trains and takes snapshots: never an error, never a wrong image."""

from __future__ import annotations

import sys
import threading
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest

from indexing.shard.shard import Shard
from indexing.snapshot import snapshot
from schemas.deltas.delta import DeltaBatch
from tests.support.index.catalogue import EXTRACTOR, add_image, random_vectors

DIMENSION = 16
PRODUCTS = 300
ROUNDS = 25


@pytest.fixture(autouse=True)
def threads_that_switch_often() -> Iterator[None]:
    before = sys.getswitchinterval()
    sys.setswitchinterval(1e-5)
    yield
    sys.setswitchinterval(before)


def test_searches_never_see_removed_replaced_or_unknown_images(tmp_path: Path) -> None:
    shard = Shard(EXTRACTOR, DIMENSION)
    vectors = random_vectors(PRODUCTS, DIMENSION)
    queries = random_vectors(8, DIMENSION, seed=1)
    # gone[p]: the sequence from which on a search must not show an older state of product p.
    gone = np.zeros(PRODUCTS, dtype=np.int64)
    stop = threading.Event()
    failures: list[BaseException] = []
    searches = [0, 0]

    def read(place: int) -> None:
        try:
            while not stop.is_set():
                least = gone.copy()
                for hits in shard.search(queries, 400):
                    found = [hit.image_id for hit in hits]
                    assert len(found) == len(set(found)), "an image twice"
                    for hit in hits:
                        number = int(hit.product_id[1:])
                        assert hit.state_seq >= least[number], f"{hit.product_id} as it was before the search began"
                        assert hit.attributes == b'{"title":"%s"}' % hit.product_id.encode()
                        assert hit.state_seq % 3 != 0, "a removed product"
                for image in shard.product("p5"):
                    assert len(image.vector) == (DIMENSION * 4 if image.vector_seq else 0)
                searches[place] += 1
        except BaseException as error:  # noqa: BLE001  handed to the test's thread
            failures.append(error)

    readers = [threading.Thread(target=read, args=(place,)) for place in range(2)]
    trainer: threading.Thread | None = None
    shuffler = np.random.default_rng(2)
    for reader in readers:
        reader.start()
    try:
        for round_number in range(1, ROUNDS + 1):
            for chosen in np.array_split(shuffler.permutation(PRODUCTS), 10):
                removal = DeltaBatch(EXTRACTOR)
                for number in chosen.tolist():
                    add_image(removal, f"p{number}", 3 * round_number, valid=False)
                shard.apply(removal)
                gone[chosen] = 3 * round_number
                listing = DeltaBatch(EXTRACTOR)
                for number in chosen.tolist():
                    add_image(
                        listing, f"p{number}", 3 * round_number + 1, vector=vectors[(number + round_number) % PRODUCTS]
                    )
                shard.apply(listing)
                gone[chosen] = 3 * round_number + 1
            if round_number % 5 == 1:
                if trainer:
                    trainer.join()
                trainer = threading.Thread(target=shard.train, args=(6,), kwargs={"nprobe": 6, "threads": 1})
                trainer.start()
                snapshot.publish(shard.contents(), tmp_path, {0: round_number})
            if failures:
                break
    finally:
        stop.set()
        for thread in [*readers, *([trainer] if trainer else [])]:
            thread.join()
    if failures:
        raise failures[0]
    assert min(searches) > 0
    stats = shard.stats()
    assert (stats.images, stats.searchable, stats.lists) == (PRODUCTS, PRODUCTS, 6)
    assert stats.digest == shard.recompute_digest()
    for number in range(PRODUCTS):
        (image,) = shard.product(f"p{number}")
        assert image.vector == vectors[(number + ROUNDS) % PRODUCTS].tobytes()


def test_answers_do_not_run_short_beside_a_writer_that_replaces_images() -> None:
    shard = Shard(EXTRACTOR, DIMENSION)
    vectors = random_vectors(40, DIMENSION)
    first = DeltaBatch(EXTRACTOR)
    for number in range(40):
        add_image(first, f"p{number}", 1, vector=vectors[number])
    shard.apply(first)
    stop = threading.Event()

    def replace() -> None:
        sequence = 1
        while not stop.is_set():
            sequence += 1
            batch = DeltaBatch(EXTRACTOR)
            add_image(batch, f"p{sequence % 40}", sequence, vector=vectors[(7 * sequence) % 40])
            shard.apply(batch)

    writer = threading.Thread(target=replace)
    writer.start()
    try:
        lengths = [len(shard.search(vectors[:1], 10)[0]) for _ in range(1000)]
    finally:
        stop.set()
        writer.join()
    assert lengths == [10] * 1000
