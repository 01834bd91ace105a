"""The units of work of a build: one builds a shard, the other looks for missing vectors in a catalogue partition.

They run in Flink workers on copies of the stores. A shard's unit also counts
what the catalogue says that its shard must come to (`build_count`), from the
records as they are read; what the shard's files came to is computed from the
files. Both units read the catalogue in chunks, so that a unit holds a few
thousand products at a time.
"""

from __future__ import annotations

import logging
from collections.abc import Collection, Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import msgspec

from feature_store.features import FeatureReader
from feature_store.open import catalogue_store, feature_store
from feature_store.products import ProductReader
from indexing.build.builder import ShardBuilder
from indexing.shard.deltas import ShardDeltas
from jobs.full_index.build.count import CatalogueCount, read_count, write_count
from jobs.full_index.build.cut import Cut
from jobs.full_index.build.look.choosing import look_by
from jobs.full_index.build.options import BuildTarget
from jobs.full_index.build.progress import UnitProgress
from jobs.full_index.truth.audit import MissingFeature, chunks, missing_of, refused_of, vectors_of
from jobs.pipeline.core import add_erased, add_state, display_attributes
from jobs.pipeline.stage import Metrics
from schemas.deltas.delta import DeltaBatch
from schemas.errors import CorruptError, OperatorError
from schemas.events.record import ProductRecord
from schemas.full_index.manifest import MANIFEST, decode_manifest
from schemas.ids import shard_of_product, url_hash

log = logging.getLogger(__name__)

CHUNK = 4096
"""Products worded at a time. RocksDB reads many keys at once for less than one after the other."""

_NEVER_MS = 10**12
"""Copies do not change: there is nothing to catch up with."""


@dataclass(frozen=True, slots=True)
class BuildPlan:
    """All that the units must know; travels to the Flink workers by pickle.

    `folder`: where `shard-<s>` folders go. `progress`: folder of the units'
    progress; their counts go beside it. `missing`: folder for lists of the images that lack a vector, or
    None where nobody asks for them. `threads`: of a unit, for k-means.
    """

    name: str
    cut: Cut
    target: BuildTarget
    folder: Path
    progress: Path
    missing: Path | None = None
    threads: int = 0

    @property
    def counts(self) -> Path:
        """Folder of what the units counted, for those that Flink runs again."""
        return self.progress.with_name("counts")


class FindMissing(msgspec.Struct, frozen=True, tag="missing"):
    """List a catalogue partition's valid images that have no vector. Answer: `Found`."""

    partition: int


class BuildShard(msgspec.Struct, frozen=True, tag="shard"):
    """Build a shard's files. Answer: `Built`."""

    shard: int


Unit = FindMissing | BuildShard


class Found(msgspec.Struct, frozen=True, kw_only=True, tag="found"):
    """So many images of the partition have no vector."""

    partition: int
    missing: int


class Built(msgspec.Struct, frozen=True, kw_only=True, tag="built"):
    """The files are there. `count`: what the catalogue says that they must come to.

    `ignored_vectors`: of another length, or with numbers that are not finite;
    0 where Flink ran the unit again and the files were there already.
    """

    shard: int
    count: CatalogueCount
    ignored_vectors: int
    took_s: dict[str, float]


class Refused(msgspec.Struct, frozen=True, kw_only=True, tag="refused"):
    """The unit cannot be done, and would not be if tried again. `corrupt`: stored bytes are to blame."""

    what: str
    corrupt: bool


Answer = Found | Built | Refused


class BuildWork:
    """See the module's docstring; the contract is `jobs.pipeline.work.Work`."""

    def __init__(self, plan: BuildPlan) -> None:
        self._plan = plan

    def open(self, metrics: Metrics) -> None:
        cut = self._plan.cut
        self._metrics = metrics
        self._products = ProductReader(catalogue_store(cut.catalogue, cut.event_partitions))
        self._features: FeatureReader = feature_store(cut.features, cut.feature_partitions).reader(
            catch_up_interval_ms=_NEVER_MS
        )

    def close(self) -> None:
        self._products.close()
        self._features.close()

    def process(self, unit: Unit, /) -> Answer:
        """What a person has to change is an answer, not a failure: Flink would only try it again."""
        try:
            match unit:
                case FindMissing(partition):
                    return self._find_missing(partition)
                case BuildShard(shard):
                    return self._build(shard)
        except (OperatorError, CorruptError) as error:
            return Refused(what=str(error), corrupt=isinstance(error, CorruptError))

    # -- missing vectors -----------------------------------------------------------------------

    def _find_missing(self, partition: int) -> Found:
        plan = self._plan
        extractor_id = plan.target.extractor.extractor_id
        progress = UnitProgress(plan.progress, f"catalogue-{partition}")
        products = missing = 0
        with _MissingList(plan.missing, partition) as lacking:
            for records in chunks(self._products.scan(partition), CHUNK):
                found = missing_of(records, extractor_id, vectors_of(records, self._features.get_many, extractor_id))
                lacking.add(found)
                missing += len(found)
                products += len(records)
                progress.has_read(0.0, products)
                self._metrics.count("products_looked_through", len(records))
        progress.begins("done")
        return Found(partition=partition, missing=missing)

    # -- building ------------------------------------------------------------------------------

    def _build(self, shard: int) -> Built:
        plan, target = self._plan, self._plan.target
        folder = plan.folder / f"shard-{shard}"
        progress = UnitProgress(plan.progress, f"shard-{shard}")
        counted = plan.counts / f"shard-{shard}.json"
        if folder.exists():
            # Flink ran this unit before: its files are whole, for the folder appears only then, and its count before.
            decode_manifest((folder / MANIFEST).read_bytes())
            progress.begins("done")
            return Built(shard=shard, count=read_count(counted), ignored_vectors=0, took_s=progress.took_s)
        deltas = ShardDeltas(shard, target.shards, plan.cut.delta_partitions)
        settings = replace(target.settings, threads=plan.threads)
        look = look_by(target.look, target.extractor.extractor_id)
        with ShardBuilder(folder, target.searched, target.dimension, settings, look) as builder:
            for partition in deltas.partitions:
                builder.add(DeltaBatch(progress=deltas.progress(plan.cut.progress[partition], partition)))
            count = self._fill(builder, shard, progress)
            write_count(counted, count)
            ends = {partition: plan.cut.delta_ends[partition] for partition in deltas.partitions}
            builder.seal(ends, plan.name, begins=progress.begins)
            ignored = builder.ignored_vectors
        progress.begins("done")
        log.info("event=shard_built shard=%d took_s=%s", shard, progress.took_s)
        return Built(shard=shard, count=count, ignored_vectors=ignored, took_s=progress.took_s)

    def _fill(self, builder: ShardBuilder, shard: int, progress: UnitProgress) -> CatalogueCount:
        """All images of the shard: the catalogue is partitioned otherwise, so every partition is read."""
        cut, target = self._plan.cut, self._plan.target
        extractor_id = target.extractor.extractor_id
        count = CatalogueCount()

        def own(product_id: str) -> bool:
            count.products_seen += 1
            return shard_of_product(product_id, target.shards) == shard

        for partition in range(cut.event_partitions):
            for records in chunks(self._products.scan(partition, own), CHUNK):
                vectors = vectors_of(records, self._features.get_many, extractor_id)
                refused = refused_of(records, self._features.get_many, extractor_id, vectors)
                batch = DeltaBatch(extractor_id)
                for record in records:
                    add_images(batch, record, vectors, cut.oldest[partition], refused)
                count.add(len(records), batch)
                builder.add(batch)
                progress.has_read(partition / cut.event_partitions, len(builder))
                self._metrics.count("images_built", len(batch))
        return count


def add_images(
    batch: DeltaBatch,
    record: ProductRecord,
    vectors: dict[tuple[str, str], bytes],
    oldest_sequence: int,
    refused: Collection[tuple[str, str]] = (),
) -> None:
    """Words the product's valid images, and its tombstones where an older delta of them may still be under way.

    Without a tombstone such a delta (a healing one, say) would find nothing to
    be compared with, and list what was removed. `oldest_sequence`: of the
    oldest event that the log still holds; what no event is left of, no delta is.
    """
    attributes = display_attributes(record)
    remembered = record.sequence >= oldest_sequence
    if remembered:
        add_erased(lambda: batch, record, {url_hash(entry.url) for entry in record.images})
    for entry in record.images:
        if remembered or (record.listed and entry.attached):
            image = record.product_id, entry.url
            add_state(batch, record, entry, vectors.get(image), attributes, refused=image in refused)
            if record.erased is not None:
                batch.erased_seq[-1] = record.erased.sequence  # of an image that came back: older vectors stay away


# -- images without a vector ---------------------------------------------------------------------


class _MissingList:
    """Writes a partition's images without a vector to a file, one JSON object a line; nowhere without a folder."""

    def __init__(self, folder: Path | None, partition: int) -> None:
        self._path = None if folder is None else folder / f"{partition}.jsonl"
        self._encoder = msgspec.json.Encoder()

    def __enter__(self) -> _MissingList:
        if self._path is not None:
            self._path.parent.mkdir(parents=True, exist_ok=True)
            self._file = self._path.open("wb")
        return self

    def add(self, features: Sequence[MissingFeature]) -> None:
        if self._path is not None:
            self._file.write(self._encoder.encode_lines(features))

    def __exit__(self, *_: object) -> None:
        if self._path is not None:
            self._file.close()


def missing_features(folder: Path) -> Iterator[MissingFeature]:
    """What the units of a job wrote there, partition by partition."""
    decoder = msgspec.json.Decoder(MissingFeature)
    for file in sorted(folder.glob("*.jsonl")):
        with file.open("rb") as lines:
            for line in lines:
                yield decoder.decode(line)
