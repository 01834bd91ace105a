"""The shard against a dict: whatever happens, in whatever order, both show the same."""

from __future__ import annotations

import math
import random
import shutil
import tempfile
from collections import Counter
from dataclasses import replace
from pathlib import Path

from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, rule

from indexing.shard.questions.question import ShardQuestion
from indexing.shard.shard import Shard
from indexing.snapshot.snapshot import restore, save
from schemas.deltas.delta import DeltaBatch, Progress, decode_deltas, encode_deltas
from schemas.ids import image_id
from schemas.query.filters import Filter
from tests.support.index.expected import (
    by_product,
    check_counts,
    check_names,
    expected_hits,
    expected_products,
    keys_of,
    passing,
    place,
    suggested,
)
from tests.support.index.shard_model import (
    DIMENSION,
    EXTRACTOR,
    FACETS,
    INDEXED,
    NO_VECTORS,
    ORDERS,
    OWN,
    PRODUCTS,
    QUERIES,
    TREES,
    URLS,
    VECTORS,
    WORDS,
    Delta,
    ModelImage,
    attributes_of,
    model_digest,
)


class ShardMachine(RuleBasedStateMachine):
    """Adds, updates, removes, re-lists, new image versions, late vectors, duplicates, restarts, training."""

    @initialize(seed=st.integers(0, 2**32 - 1))
    def start(self, seed: int) -> None:
        self.random = random.Random(seed)
        self.folder = Path(tempfile.mkdtemp(prefix="vitrine-shard-"))
        self.shard = Shard(EXTRACTOR, DIMENSION)
        self.shard.open_attributes(INDEXED)
        self.model: dict[bytes, ModelImage] = {}
        self.sequence = 0
        self.image_seq: dict[bytes, int] = {}
        self.history: list[Delta] = []
        self.held: list[Delta] = []

    def teardown(self) -> None:
        if hasattr(self, "folder"):
            shutil.rmtree(self.folder)

    def _deliver(self, deltas: list[Delta], extractor_id: str = EXTRACTOR) -> None:
        batch = DeltaBatch(extractor_id, [Progress(0, 1, self.sequence, self.sequence)])
        for delta in deltas:
            delta.add_to(batch)
            (delta if extractor_id == EXTRACTOR else replace(delta, vector=None, vector_seq=0)).apply_to(self.model)
        self.shard.apply(decode_deltas(encode_deltas(batch)))

    def _next(self) -> int:
        self.sequence += 1
        return self.sequence

    @rule(count=st.integers(1, 15), together=st.booleans())
    def change(self, count: int, together: bool) -> None:
        """Some events of a shop, delivered as one batch or one by one, some vectors before, after or much later."""
        batches = [self._event() for _ in range(count)]
        if together:
            batches = [[delta for batch in batches for delta in batch]]
        for batch in batches:
            self._deliver(batch)

    def _event(self) -> list[Delta]:
        pick = self.random.choice
        product, url = pick(PRODUCTS), pick(URLS)
        key = image_id(product, url)
        sequence = self._next()
        if key not in self.image_seq or pick([True, False]):
            self.image_seq[key] = sequence
        state = Delta(
            product,
            url,
            sequence,
            pick([True, True, False]),
            self.image_seq[key],
            price=pick([math.nan, 1.5, 20.0]),
            attributes=pick([b"{}", b'{"title":"a"}', attributes_of(self.random)]),
        )
        bare = Delta(product, url, vector_seq=self.image_seq[key], vector=pick(VECTORS).tobytes())
        both = replace(state, vector_seq=bare.vector_seq, vector=bare.vector)
        fate = pick(["together", "together", "later", "first", "held"])
        self.history += [both] if fate == "together" else [state, bare]
        if fate == "held":
            self.held.append(bare)
        return {"together": [both], "later": [state, bare], "first": [bare, state], "held": [state]}[fate]

    @rule(count=st.integers(1, 6))
    def late_vectors(self, count: int) -> None:
        self.random.shuffle(self.held)
        arrived, self.held = self.held[:count], self.held[count:]
        self._deliver(arrived)

    @rule(count=st.integers(1, 12))
    def replay(self, count: int) -> None:
        again = self.random.sample(self.history, min(count, len(self.history)))
        self._deliver(again)

    @rule(product=st.sampled_from(PRODUCTS))
    def remove_product(self, product: str) -> None:
        sequence = self._next()
        gone = [
            Delta(product, url, sequence, False, self.image_seq[image_id(product, url)])
            for url in URLS
            if image_id(product, url) in self.image_seq
        ]
        self.history += gone
        self._deliver(gone)

    @rule(product=st.sampled_from(PRODUCTS), fate=st.sampled_from(["now", "late"]))
    def erase_product(self, product: str, fate: str) -> None:
        """Now, or after what a later listing of the product brings."""
        sequence = self._next()
        keys = {url: image_id(product, url) for url in URLS}
        gone = [Delta(product, url, sequence, erased=True) for url, key in keys.items() if key in self.image_seq]
        for key in keys.values():
            self.image_seq.pop(key, None)  # what comes later is another image
        self.history += gone
        if fate == "now":
            self._deliver(gone)
        else:
            self.held += gone

    @rule(product=st.sampled_from(PRODUCTS), broken=st.sampled_from([b"short", b"\x00\x00\xc0\x7f" * DIMENSION]))
    def broken_vector(self, product: str, broken: bytes) -> None:
        batch = DeltaBatch(EXTRACTOR)
        batch.add(image_id(product, URLS[0]), product, vector_seq=self._next(), vector=broken)
        before = self.shard.stats().ignored_vectors
        self.shard.apply(batch)
        assert self.shard.stats().ignored_vectors == before + 1

    @rule(product=st.sampled_from(PRODUCTS))
    def vector_of_another_extractor(self, product: str) -> None:
        foreign = Delta(product, URLS[1], vector_seq=self._next(), vector=VECTORS[0].tobytes())
        self._deliver([foreign], "other/1")

    @rule()
    def restart(self) -> None:
        save(self.shard, self.folder, {0: self.sequence})
        self.shard, manifest = restore(self.folder)
        self.shard.open_attributes(INDEXED)
        assert manifest.delta_offsets == {0: self.sequence}

    @rule()
    def scrub(self) -> None:
        self.shard.scrub()

    @rule(nlist=st.integers(1, 3), seed=st.integers(0, 3))
    def train(self, nlist: int, seed: int) -> None:
        distinct = {image.vector for image in self.model.values() if image.vector}
        if len(distinct) >= nlist:
            self.shard.train(nlist, seed, nprobe=nlist, threads=1)

    @invariant()
    def same_counts_and_digest(self) -> None:
        stats = self.shard.stats()
        valid = [image for image in self.model.values() if image.valid]
        searchable = [image for image in valid if image.searchable]
        assert (stats.images, stats.valid, stats.searchable) == (len(self.model), len(valid), len(searchable))
        assert stats.pending == len(valid) - len(searchable)
        assert stats.digest == model_digest(self.model) == self.shard.recompute_digest()
        assert self.shard.watermark_ms() <= self.sequence

    @invariant()
    def same_answers(self) -> None:
        for limit in (1, 3, 50):
            answers = self.shard.search(QUERIES, limit, nprobe=3)
            for query, hits in zip(QUERIES, answers, strict=True):
                assert [(hit.score, hit.image_id) for hit in hits] == expected_hits(self.model, query, limit)
                for hit in hits:
                    image = self.model[hit.image_id]
                    assert (hit.product_id, hit.url, hit.state_seq) == (image.product_id, image.url, image.state_seq)
                    assert (hit.sales, hit.attributes) == (image.sales, image.attributes)
                    assert hit.price == image.price or (math.isnan(hit.price) and math.isnan(image.price))

    @invariant()
    def same_answers_within_a_filter(self) -> None:
        tree, limit = self.random.choice(TREES), self.random.choice([1, 3, 50])
        found = passing(self.model, tree)
        answer = self.shard.answer(ShardQuestion(QUERIES, limit, nprobe=3, tree=tree, facets=(*FACETS, *OWN)))
        for query, hits in zip(QUERIES, answer.found, strict=True):
            assert [(hit.score, hit.image_id) for hit in hits] == expected_hits(found, query, limit)

        def findable(within: Filter | None) -> dict[str, list[ModelImage]]:
            images = passing(self.model, within)
            return by_product({key: image for key, image in images.items() if image.searchable})

        assert answer.matches == len(findable(tree))
        check_counts(answer.facets, tree, findable)

    @invariant()
    def same_lists(self) -> None:
        pick = self.random.choice
        tree, words, any_word, order = pick([None, *TREES]), pick(["", *WORDS]), pick([True, False]), pick(ORDERS)
        asked = ShardQuestion(
            NO_VECTORS, 1, tree=tree, words=words, any_word=any_word, listing=not words, order_by=order, list_limit=50,
            facets=(*FACETS, *OWN),
        )  # fmt: skip
        answer = self.shard.answer(asked)
        wanted = expected_products(self.model, tree, words, any_word)
        assert Counter(hit.product_id for hit in answer.listed) == Counter(wanted.keys())
        assert answer.matches == len(wanted)
        assert not answer.corrected
        check_counts(answer.facets, tree, lambda within: expected_products(self.model, within, words, any_word))
        for hit in answer.listed:
            images = wanted[hit.product_id]
            best = min(images, key=lambda image: (not image.searchable, image_id(image.product_id, image.url)))
            assert hit.url == best.url
            assert hit.attributes == best.attributes
            assert (hit.score > 0) == bool(words)
            keys = keys_of(images, order)
            assert hit.key in keys or (math.isnan(hit.key) and any(map(math.isnan, keys)))
        assert answer.listed == sorted(answer.listed, key=place)
        few = self.shard.answer(replace(asked, list_limit=2))
        assert [hit.image_id for hit in few.listed] == [hit.image_id for hit in answer.listed[:2]]

    @invariant()
    def same_suggestions(self) -> None:
        begun = self.random.choice(["r", "bo", "a", "sho"])
        assert dict(self.shard.suggest("the " + begun, 20)) == {
            "the " + word: products for word, products in suggested(self.model, begun).items()
        }
        check_names(self.model, begun, self.shard.names(begun, 20))

    @invariant()
    def same_products(self) -> None:
        for product in PRODUCTS:
            shown = {
                image.image_id: (image.url, image.valid, image.searchable, image.vector_seq, image.vector)
                for image in self.shard.product(product)
            }
            assert shown == {
                key: (image.url, image.valid, image.searchable, image.vector_seq, image.vector)
                for key, image in self.model.items()
                if image.product_id == product
            }


TestShardAgainstModel = ShardMachine.TestCase
TestShardAgainstModel.settings = settings(
    max_examples=20, stateful_step_count=15, deadline=None, suppress_health_check=[HealthCheck.too_slow]
)
