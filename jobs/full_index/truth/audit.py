"""Comparing one partition's catalogue with the log's truth, and wording the truth: pure, batch by batch.

Truth and live catalogue are merged in the order of their ids, so an audit of
any size holds a few hundred records.
"""

from __future__ import annotations

import heapq
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from hashlib import blake2b
from itertools import islice

import msgspec

from indexing.rows.digest import NO_VECTOR, add_digest, digest_bytes, image_digest, vector_hash
from jobs.pipeline.core import add_state, display_attributes
from schemas.deltas.delta import DeltaBatch
from schemas.events.record import ProductRecord
from schemas.features.record import FeatureRecord, refusals_of
from schemas.ids import ImageKey, image_id, image_key, shard_of_product

MAX_EXAMPLES = 20

Lookup = Callable[[Sequence[ImageKey], str], list[FeatureRecord | None]]
"""Known features of these images under the extractor of that id."""

CHUNK = 500
"""Products audited or worded at a time: bounds the memory of a unit."""


class ExpectedImage(msgspec.Struct, frozen=True, array_like=True):
    """What a shard must show of an image (`image_id` in hex). `vector_seq` 0: no vector is known."""

    image_id: str
    valid: bool
    state_seq: int
    vector_seq: int


class ExpectedProduct(msgspec.Struct, frozen=True, array_like=True):
    """One product of the sample that the shards are asked about."""

    product_id: str
    shard: int
    images: list[ExpectedImage]


class MissingFeature(msgspec.Struct, frozen=True, array_like=True):
    """An image that a shopper should find and cannot, because no vector of it is known under the extractor."""

    product_id: str
    url: str
    version: str | None
    image_seq: int
    extractor_id: str

    @property
    def key(self) -> ImageKey:
        return image_key(self.url, self.version)

    @property
    def address(self) -> tuple[str, bytes]:
        """Extractor and image: what a vector is kept under."""
        return self.extractor_id, self.key


class CatalogueVerdict(msgspec.Struct, kw_only=True):
    """The live catalogue against the truth, in products.

    `missing` (the log has the product, the catalogue has not), `unknown` (the
    other way round), `different`, `behind` (the stream has not come so far
    yet), `moved_on` (an event after the range; not compared).
    """

    products: int = 0
    listed: int = 0
    valid_images: int = 0
    missing: int = 0
    unknown: int = 0
    different: int = 0
    behind: int = 0
    moved_on: int = 0
    examples: list[str] = []

    @property
    def wrong(self) -> int:
        return self.missing + self.unknown + self.different

    def add(self, part: CatalogueVerdict) -> None:
        """Takes in what another part of the catalogue comes to."""
        for name in CatalogueVerdict.__struct_fields__:
            setattr(self, name, getattr(self, name) + getattr(part, name))


class PartitionAudit(CatalogueVerdict, kw_only=True):
    """What one catalogue partition comes to. `digests`: the truth's, by shard, in hex, to be added up."""

    partition: int
    digests: list[str] = []
    missing_features: list[MissingFeature] = []
    sample: list[ExpectedProduct] = []


class Comparison:
    """Counts differences between the truth and the live catalogue; passes the truth's records through.

    `end_sequence`: of the last event of the range. `live_sequence`: up to
    where the stream is known to have applied the log.
    """

    def __init__(self, audit: PartitionAudit, end_sequence: int, live_sequence: int) -> None:
        self._audit = audit
        self._end = end_sequence
        self._live = live_sequence

    def merge(self, truth: Iterable[ProductRecord], live: Iterable[ProductRecord]) -> Iterator[ProductRecord]:
        """Both in the order of the ids' UTF-8 bytes."""
        others = iter(live)
        other = next(others, None)
        for record in truth:
            key = record.product_id.encode()
            while other is not None and other.product_id.encode() < key:
                self._only_live(other)
                other = next(others, None)
            if other is not None and other.product_id == record.product_id:
                self._both(record, other)
                other = next(others, None)
            else:
                self._note("behind" if record.sequence > self._live else "missing", record)
            yield record
        while other is not None:
            self._only_live(other)
            other = next(others, None)

    def _both(self, truth: ProductRecord, live: ProductRecord) -> None:
        if live.sequence > self._end:
            self._note("moved_on", live)
        elif truth != live:
            behind = live.sequence < truth.sequence and truth.sequence > self._live
            self._note("behind" if behind else "different", live)

    def _only_live(self, live: ProductRecord) -> None:
        self._note("moved_on" if live.sequence > self._end else "unknown", live)

    def _note(self, kind: str, record: ProductRecord) -> None:
        audit = self._audit
        setattr(audit, kind, getattr(audit, kind) + 1)
        if kind in ("missing", "unknown", "different") and len(audit.examples) < MAX_EXAMPLES:
            audit.examples.append(f"{record.product_id}: {kind}")


class Truth:
    """The truth as the shards should have it: digest per shard, images without a vector, a sample of products.

    `shards`: of the index that is compared. `extractors`: ids of that of the
    index, then of those whose missing vectors are noted as well.
    The sample are the `sample` products whose salted hash is least: another
    choice every run, the same one for every order of reading.
    """

    def __init__(
        self,
        audit: PartitionAudit,
        shards: int,
        extractors: Sequence[str],
        features: Lookup,
        *,
        sample: int = 0,
        salt: bytes = b"",
    ) -> None:
        self._audit = audit
        self._shards = shards
        self._extractors = extractors
        self._features = features
        self._sample = sample
        self._salt = salt
        self._chosen: list[tuple[int, ExpectedProduct]] = []
        self._digests = [0] * shards

    def add(self, records: Sequence[ProductRecord]) -> None:
        audit = self._audit
        known = {name: vectors_of(records, self._features, name) for name in self._extractors}
        for name, found in known.items():
            audit.missing_features += missing_of(records, name, found)
        vectors = known[self._extractors[0]]
        for record in records:
            shard = shard_of_product(record.product_id, self._shards)
            batch = DeltaBatch()
            attributes = display_attributes(record)
            for entry in record.images:
                vector = vectors.get((record.product_id, entry.url))
                add_state(batch, record, entry, vector, attributes)
            audit.products += 1
            audit.listed += record.listed
            for row in range(len(batch)):
                if batch.valid[row]:
                    audit.valid_images += 1
                    self._digests[shard] = add_digest(self._digests[shard], worded_digest(batch, row))
            self._choose(record.product_id, shard, batch)

    def finish(self) -> PartitionAudit:
        self._audit.digests = [digest_bytes(digest).hex() for digest in self._digests]
        self._audit.sample = [product for _, product in sorted(self._chosen, key=lambda each: -each[0])]
        return self._audit

    def _choose(self, product_id: str, shard: int, batch: DeltaBatch) -> None:
        if self._sample == 0:
            return
        # Negated: the heap's least, which goes first, is then the greatest hash.
        rank = -int.from_bytes(blake2b(product_id.encode(), digest_size=8, salt=self._salt[:16]).digest(), "little")
        if len(self._chosen) == self._sample and rank <= self._chosen[0][0]:
            return
        images = [
            ExpectedImage(batch.image_id[i].hex(), batch.valid[i], batch.state_seq[i], batch.vector_seq[i])
            for i in range(len(batch))
        ]
        item = (rank, ExpectedProduct(product_id, shard, images))
        if len(self._chosen) < self._sample:
            heapq.heappush(self._chosen, item)
        else:
            heapq.heapreplace(self._chosen, item)


def vectors_of(records: Sequence[ProductRecord], features: Lookup, extractor_id: str) -> dict[tuple[str, str], bytes]:
    """Known vectors, under the extractor, of the images that are to be found, by (product, URL)."""
    wanted = [
        (record.product_id, entry.url, image_key(entry.url, entry.version))
        for record in records
        if record.listed
        for entry in record.images
        if entry.attached
    ]
    found = features([key for _, _, key in wanted], extractor_id)
    return {
        (product_id, url): feature.vector
        for (product_id, url, _), feature in zip(wanted, found, strict=True)
        if feature is not None
    }


def refused_of(
    records: Sequence[ProductRecord],
    features: Lookup,
    extractor_id: str,
    vectors: Mapping[tuple[str, str], bytes],
) -> set[tuple[str, str]]:
    """Those of the images without a vector, by (product, URL), that extraction gave up."""
    missing = missing_of(records, extractor_id, vectors)
    found = features([image_key(each.url, each.version) for each in missing], refusals_of(extractor_id))
    return {(each.product_id, each.url) for each, refusal in zip(missing, found, strict=True) if refusal is not None}


def missing_of(
    records: Sequence[ProductRecord], extractor_id: str, vectors: Mapping[tuple[str, str], bytes]
) -> list[MissingFeature]:
    """The images that are to be found and are not among `vectors`, the extractor's known ones by (product, URL)."""
    return [
        MissingFeature(record.product_id, entry.url, entry.version, entry.image_seq, extractor_id)
        for record in records
        if record.listed
        for entry in record.images
        if entry.attached and (record.product_id, entry.url) not in vectors
    ]


def image_hex(missing: MissingFeature) -> str:
    """The row identity of the image, as requests for extraction carry it."""
    return image_id(missing.product_id, missing.url).hex()


def worded_digest(batch: DeltaBatch, row: int) -> bytes:
    """The digest of a valid image as a batch words it."""
    vector = batch.vector[row]
    return image_digest(
        batch.image_id[row],
        batch.product_id[row].encode(),
        batch.url[row].encode(),
        batch.category[row].encode(),
        batch.brand[row].encode(),
        batch.attributes[row],
        state_seq=batch.state_seq[row],
        image_seq=batch.image_seq[row],
        price=batch.price[row],
        sales=batch.sales[row],
        praise=batch.praise[row],
        vector_seq=batch.vector_seq[row],
        vector=NO_VECTOR if vector is None else vector_hash(vector),
    )


def chunks(records: Iterator[ProductRecord], size: int = CHUNK) -> Iterator[list[ProductRecord]]:
    """Lists of up to `size` records."""
    while chunk := list(islice(records, size)):
        yield chunk
