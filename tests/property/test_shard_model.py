"""The shard against a dict: whatever happens, in whatever order, both show the same."""

from __future__ import annotations

import math
import random
import shutil
import tempfile
from collections import Counter
from dataclasses import replace
from pathlib import Path
from typing import Any

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, rule

from indexing.rows.forward import ForwardIndex
from indexing.shard.question import ShardQuestion
from indexing.shard.shard import Shard
from indexing.snapshot.snapshot import restore, save
from schemas.deltas.delta import DeltaBatch, Progress, decode_deltas, encode_deltas
from schemas.found import Hit
from schemas.ids import image_id
from schemas.query.facets import FacetCounts
from schemas.query.filters import Filter
from tests.support.shard_model import (
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
    by_product,
    check_counts,
    check_names,
    expected_hits,
    expected_products,
    keys_of,
    model_digest,
    passing,
    place,
    suggested,
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


def life_of_a_shop(chance: random.Random) -> list[Delta]:
    """Deltas as the pipeline makes them: all images of a product have its attributes and its figures."""
    image_seqs: dict[tuple[str, str], int] = {}
    deltas = []
    for sequence in range(1, 60):
        product = f"q{chance.randrange(12)}"
        urls = [f"http://shop/{place}.jpg" for place in range(1 + int(product[1:]) % 3)]
        if chance.random() < 0.1:
            deltas += [Delta(product, url, sequence, erased=True) for url in urls if (product, url) in image_seqs]
            for url in urls:
                image_seqs.pop((product, url), None)
            continue
        sale = chance.random() < 0.8
        price, attributes = chance.choice([math.nan, 1.5, 20.0]), attributes_of(chance)
        for url in urls:
            if (product, url) not in image_seqs or chance.random() < 0.3:
                image_seqs[product, url] = sequence
                vector = chance.choice(VECTORS).tobytes()
                deltas.append(Delta(product, url, vector_seq=sequence, vector=vector))
            deltas.append(Delta(product, url, sequence, sale, image_seqs[product, url], price, attributes))
    return deltas


def answers_of(shard: Shard) -> list[Any]:
    """Everything that a shard says, scores to the last bit."""
    chance = random.Random(5)
    said: list[Any] = [[shard.suggest(text, 20) for text in ("r", "the bo", "sh", "a")]]
    for tree in (None, *TREES):
        vectors = QUERIES if tree is TREES[0] else QUERIES[:1]
        questions = [
            ShardQuestion(vectors, chance.choice([2, 50]), nprobe=3, tree=tree, facets=FACETS),
            ShardQuestion(NO_VECTORS, 1, tree=tree, listing=True, order_by=chance.choice(ORDERS), list_limit=50),
        ]
        for words in chance.sample([*WORDS, "shoesrings "], 3):
            any_word, limit, order = chance.random() < 0.5, chance.choice([1, 3, 50]), chance.choice(["", "", "price"])
            questions.append(
                ShardQuestion(
                    NO_VECTORS,
                    1,
                    tree=tree,
                    words=words,
                    any_word=any_word,
                    list_limit=limit,
                    order_by=order,
                    facets=FACETS,
                )
            )
        for question in questions:
            answer = shard.answer(question)
            facets = [sorted_counts(each) for each in answer.facets]
            found = [list(map(shown, hits)) for hits in answer.found]
            said.append((question, found, list(map(shown, answer.listed)), facets, answer.matches, answer.corrected))
    return said


def shown(hit: Hit) -> tuple[Any, ...]:
    return hit.product_id, hit.url, hit.score, repr(hit.key), repr(hit.price), hit.sales, hit.attributes, hit.state_seq


def sorted_counts(counts: FacetCounts) -> tuple[Any, ...]:
    values = sorted(zip(counts.values, counts.counts, strict=True))
    return counts.field, values, counts.bucket_counts, counts.low, counts.high, counts.products


@settings(max_examples=8, deadline=None)
@given(st.integers(0, 2**32 - 1))
def test_shard_answers_alike_streamed_loaded_and_in_another_order(seed: int) -> None:
    chance = random.Random(seed)
    deltas = life_of_a_shop(chance)
    streamed, other = Shard(EXTRACTOR, DIMENSION), Shard(EXTRACTOR, DIMENSION)
    streamed.open_attributes(INDEXED)
    other.open_attributes(INDEXED)
    again = [*deltas, *chance.sample(deltas, len(deltas) // 2)]
    chance.shuffle(again)
    for shard, order in ((streamed, deltas), (other, again)):
        while order:
            batch = DeltaBatch(EXTRACTOR)
            some, order = order[:7], order[7:]
            for delta in some:
                delta.add_to(batch)
            shard.apply(decode_deltas(encode_deltas(batch)))
    expected = answers_of(streamed)
    restored = loaded(streamed)
    restored.open_attributes(INDEXED)
    streamed.scrub()
    for shard in (restored, other, streamed):
        for one, same in zip(answers_of(shard), expected, strict=True):
            assert one[1:] == same[1:], one[0]


def test_text_chunks_are_emptied_where_images_share_their_attributes() -> None:
    shard = Shard(EXTRACTOR, DIMENSION)
    for round_number in range(1, 60):
        batch = DeltaBatch(EXTRACTOR)
        for i in range(100):
            attributes = f"{round_number}/{i}".encode() + b"." * 3000
            for url in URLS:
                if round_number % 7 == 0 and url == URLS[-1]:
                    continue  # such an image keeps what its siblings gave up
                batch.add(
                    image_id(f"p{i}", url), f"p{i}", state_seq=round_number, valid=True, url=url, attributes=attributes
                )
        shard.apply(batch)
        shard._state.forward.reclaim_texts(least_garbage=1 << 19)
        if round_number == 30:
            shard = loaded(shard)
    assert shard._state.forward.texts.allocated < 8 << 20, "one text a product is in use"
    for i in range(100):
        for image in shard.product(f"p{i}"):
            assert image.attributes == f"59/{i}".encode() + b"." * 3000
    assert shard.stats().digest == shard.recompute_digest()


def loaded(shard: Shard) -> Shard:
    with tempfile.TemporaryDirectory() as folder:
        save(shard, Path(folder), {0: 0})
        return restore(Path(folder))[0]


def test_text_chunks_are_emptied_and_every_row_keeps_its_texts() -> None:
    shard = Shard(EXTRACTOR, DIMENSION)
    reclaim = ForwardIndex.reclaim_texts
    peak = 0
    for round_number in range(1, 60):
        batch = DeltaBatch(EXTRACTOR)
        for i in range(100):
            attributes = f"{round_number}/{i}".encode() + b"." * 3000
            batch.add(
                image_id(f"p{i}", URLS[0]),
                f"p{i}",
                state_seq=round_number,
                valid=True,
                url=URLS[0],
                attributes=attributes,
            )
        shard.apply(batch)
        reclaim(shard._state.forward, least_garbage=1 << 19)
        peak = max(peak, shard._state.forward.texts.allocated)
    assert peak < 8 << 20, "59 rounds write 17 MiB, of which 0.3 MiB are in use"
    for i in range(100):
        (image,) = shard.product(f"p{i}")
        assert image.attributes == f"59/{i}".encode() + b"." * 3000
        assert image.url == URLS[0]
    assert shard.stats().digest == shard.recompute_digest()
