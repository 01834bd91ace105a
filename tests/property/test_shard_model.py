"""The shard against a dict: whatever happens, in whatever order, both show the same."""

from __future__ import annotations

import math
import random
import shutil
import tempfile
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, rule
from numpy.typing import NDArray

from indexing.rows.digest import NO_VECTOR, add_digest, digest_bytes, image_digest, vector_hash
from indexing.rows.forward import ForwardIndex
from indexing.shard.shard import Shard
from indexing.snapshot.snapshot import restore, save
from schemas.deltas.delta import DeltaBatch, Progress, decode_deltas, encode_deltas
from schemas.ids import image_id

EXTRACTOR = "test/1"
DIMENSION = 4
PRODUCTS = [f"p{i}" for i in range(5)]
URLS = ["http://shop/a.jpg", "http://shop/b.jpg"]
# Few distinct vectors, and in small whole numbers: ties are common, and sums are exact in any order.
VECTORS = [
    np.array(v, dtype=np.float32) for v in ((1, 0, 0, 0), (0, 1, 0, 0), (1, 1, 0, 0), (0, 0, 2, 1), (3, -1, 0, 2))
]
QUERIES = np.array([(1, 0, 0, 0), (0, 1, 1, 0), (-1, 2, 0, 3)], dtype=np.float32)


@dataclass(frozen=True)
class ModelImage:
    """Both registers of one image, as plainly as can be."""

    product_id: str
    url: str = ""
    state_seq: int = 0
    valid: bool = False
    image_seq: int = 0
    category: str = ""
    brand: str = ""
    price: float = math.nan
    sales: int = -1
    attributes: bytes = b""
    vector_seq: int = 0
    vector: bytes = b""

    @property
    def searchable(self) -> bool:
        return self.valid and self.vector_seq > 0 and self.vector_seq >= self.image_seq


@dataclass(frozen=True)
class Delta:
    """One row of a batch, kept so that it can come again, later and out of order."""

    product_id: str
    url: str
    state_seq: int = 0
    valid: bool = False
    image_seq: int = 0
    price: float = math.nan
    attributes: bytes = b""
    vector_seq: int = 0
    vector: bytes | None = None
    erased: bool = False

    def add_to(self, batch: DeltaBatch) -> None:
        if self.erased:
            key = image_id(self.product_id, self.url)
            seq = self.state_seq
            batch.add(key, self.product_id, state_seq=seq, image_seq=seq, erased_seq=seq)
            return
        batch.add(
            image_id(self.product_id, self.url),
            self.product_id,
            state_seq=self.state_seq,
            valid=self.valid,
            image_seq=self.image_seq,
            url=self.url if self.state_seq else "",
            category="shoes" if self.state_seq else "",
            brand=f"brand{self.state_seq % 3}" if self.state_seq else "",
            price=self.price,
            sales=self.state_seq if self.state_seq else -1,
            attributes=self.attributes,
            vector_seq=self.vector_seq,
            vector=self.vector,
        )

    def apply_to(self, model: dict[bytes, ModelImage]) -> None:
        key = image_id(self.product_id, self.url)
        image = model.get(key)
        if image is None:
            if not self.state_seq and self.vector is None:
                return
            image = ModelImage(self.product_id)
        if self.erased:
            model[key] = self._erased(image)
            return
        if self.state_seq > image.state_seq or (self.vector is not None and self.vector_seq > image.vector_seq):
            image = replace(image, product_id=self.product_id)
        if self.state_seq > image.state_seq:
            image = replace(
                image,
                url=self.url,
                state_seq=self.state_seq,
                valid=self.valid,
                image_seq=self.image_seq,
                category="shoes",
                brand=f"brand{self.state_seq % 3}",
                price=self.price,
                sales=self.state_seq,
                attributes=self.attributes,
            )
        if self.vector is not None and self.vector_seq > image.vector_seq:
            image = replace(image, vector_seq=self.vector_seq, vector=self.vector)
        model[key] = image

    def _erased(self, image: ModelImage) -> ModelImage:
        """Both registers without what is older."""
        if self.state_seq > image.state_seq:
            bare = ModelImage("", state_seq=self.state_seq, image_seq=self.state_seq)
            image = replace(bare, vector_seq=image.vector_seq, vector=image.vector)
        if self.state_seq > image.vector_seq:
            image = replace(image, vector_seq=self.state_seq, vector=b"")
        return image


def model_digest(model: dict[bytes, ModelImage]) -> bytes:
    total = 0
    for key, image in model.items():
        if image.valid:
            digest = image_digest(
                key,
                image.product_id.encode(),
                image.url.encode(),
                image.category.encode(),
                image.brand.encode(),
                image.attributes,
                state_seq=image.state_seq,
                image_seq=image.image_seq,
                price=image.price,
                sales=image.sales,
                praise=math.nan,
                vector_seq=image.vector_seq,
                vector=vector_hash(image.vector) if image.vector else NO_VECTOR,
            )
            total = add_digest(total, digest)
    return digest_bytes(total)


def expected_hits(model: dict[bytes, ModelImage], query: NDArray[np.float32], limit: int) -> list[tuple[float, bytes]]:
    scored = [
        (-float(np.dot(np.frombuffer(image.vector, dtype="<f4"), query)), key)
        for key, image in model.items()
        if image.searchable
    ]
    return [(-score, key) for score, key in sorted(scored)[:limit]]


class ShardMachine(RuleBasedStateMachine):
    """Adds, updates, removes, re-lists, new image versions, late vectors, duplicates, restarts, training."""

    @initialize(seed=st.integers(0, 2**32 - 1))
    def start(self, seed: int) -> None:
        self.random = random.Random(seed)
        self.folder = Path(tempfile.mkdtemp(prefix="vitrine-shard-"))
        self.shard = Shard(EXTRACTOR, DIMENSION)
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
            attributes=pick([b"{}", b'{"title":"a"}', b'{"title":"longer"}']),
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
        assert manifest.delta_offsets == {0: self.sequence}

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
