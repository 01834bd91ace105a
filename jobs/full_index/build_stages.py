"""The units of work of a build: one counts a catalogue partition, the other builds a shard.

They run in Flink workers on copies of the stores and know nothing of each
other: what the first counts is what the second must come to. Both read the
catalogue in chunks, so that a unit holds a few hundred products at a time.
"""

from __future__ import annotations

import logging
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import msgspec

from feature_store.features import FeatureReader
from feature_store.open import catalogue_store, feature_store
from feature_store.products import ProductReader
from indexing.build import ShardBuilder
from indexing.shard_deltas import ShardDeltas
from indexing.snapshot import MANIFEST
from jobs.full_index.audit import MissingFeature, PartitionAudit, Truth, vectors_of
from jobs.full_index.build_cut import Cut
from jobs.full_index.build_options import BuildTarget
from jobs.full_index.build_progress import UnitProgress
from jobs.full_index.replay_stages import RESULT, chunks
from jobs.pipeline.core import add_state, display_attributes
from jobs.pipeline.stage import Metrics, Out, Record
from schemas.delta import DeltaBatch
from schemas.errors import CorruptError, OperatorError
from schemas.ids import shard_of_product
from schemas.manifest import decode_manifest
from schemas.product_record import ProductRecord

log = logging.getLogger(__name__)

_NEVER_MS = 10**12
"""Copies do not change: there is nothing to catch up with."""


@dataclass(frozen=True, slots=True)
class BuildPlan:
    """All that the units must know; travels to the Flink workers by pickle.

    `folder`: where `shard-<s>` folders go. `progress`: folder of the units'
    progress. `missing`: folder for lists of the images that lack a vector, or
    None where nobody asks for them. `threads`: of a unit, for k-means.
    """

    name: str
    cut: Cut
    target: BuildTarget
    folder: Path
    progress: Path
    missing: Path | None = None
    threads: int = 0


class CountPartition(msgspec.Struct, frozen=True, tag="count"):
    """Count a catalogue partition's valid images, their digests and what they lack. Answer: `Counted`."""

    partition: int


class BuildShard(msgspec.Struct, frozen=True, tag="shard"):
    """Build a shard's files. Answer: `Built`."""

    shard: int


Unit = CountPartition | BuildShard


class Counted(msgspec.Struct, frozen=True, kw_only=True, tag="counted"):
    """`digests`: by shard, in hex, to be added up. `missing`: valid images without a vector."""

    partition: int
    products: int
    valid_images: int
    missing: int
    digests: list[str]
    took_s: dict[str, float]


class Built(msgspec.Struct, frozen=True, kw_only=True, tag="built"):
    """The files are there. `ignored_vectors`: of another length, or with numbers that are not finite."""

    shard: int
    ignored_vectors: int
    took_s: dict[str, float]


class Refused(msgspec.Struct, frozen=True, kw_only=True, tag="refused"):
    """The unit cannot be done, and would not be if tried again. `corrupt`: stored bytes are to blame."""

    what: str
    corrupt: bool


Answer = Counted | Built | Refused


class BuildStage:
    """Does one unit a record; see the module's docstring, the contract is `jobs.pipeline.stage.Stage`."""

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

    def process(self, batch: Sequence[Record]) -> list[Out]:
        answers = [self._answer(msgspec.json.decode(record.value or b"", type=Unit)) for record in batch]
        return [Out(RESULT, None, msgspec.json.encode(answer)) for answer in answers]

    def _answer(self, unit: Unit) -> Answer:
        """What a person has to change is an answer, not a failure: Flink would only try it again."""
        try:
            match unit:
                case CountPartition(partition):
                    return self._count(partition)
                case BuildShard(shard):
                    return self._build(shard)
        except (OperatorError, CorruptError) as error:
            return Refused(what=str(error), corrupt=isinstance(error, CorruptError))

    # -- counting ------------------------------------------------------------------------------

    def _count(self, partition: int) -> Counted:
        plan = self._plan
        progress = UnitProgress(plan.progress, f"catalogue-{partition}")
        audit = PartitionAudit(partition=partition)
        truth = Truth(audit, plan.target.shards, plan.target.extractor.extractor_id, self._features.get_many)
        missing = 0
        with _MissingList(plan.missing, partition) as lacking:
            for records in chunks(self._products.scan(partition)):
                truth.add(records)
                missing += len(audit.missing_features)
                lacking.add(audit.missing_features)
                audit.missing_features = []
                progress.read(0.0, audit.valid_images)
                self._metrics.count("products_counted", len(records))
        truth.finish()
        progress.begins("done")
        return Counted(
            partition=partition,
            products=audit.products,
            valid_images=audit.valid_images,
            missing=missing,
            digests=audit.digests,
            took_s=progress.took_s,
        )

    # -- building ------------------------------------------------------------------------------

    def _build(self, shard: int) -> Built:
        plan, target = self._plan, self._plan.target
        folder = plan.folder / f"shard-{shard}"
        progress = UnitProgress(plan.progress, f"shard-{shard}")
        if folder.exists():
            # Flink ran this unit before: its files are whole, for the folder appears only then.
            decode_manifest((folder / MANIFEST).read_bytes())
            progress.begins("done")
            return Built(shard=shard, ignored_vectors=0, took_s=progress.took_s)
        deltas = ShardDeltas(shard, target.shards, plan.cut.delta_partitions)
        settings = replace(target.settings, threads=plan.threads)
        with ShardBuilder(folder, target.extractor.extractor_id, target.dimension, settings) as builder:
            for partition in deltas.partitions:
                builder.add(DeltaBatch(progress=deltas.progress(plan.cut.progress[partition], partition)))
            self._fill(builder, shard, progress)
            ends = {partition: plan.cut.delta_ends[partition] for partition in deltas.partitions}
            builder.seal(ends, plan.name, begins=progress.begins)
            ignored = builder.ignored_vectors
        progress.begins("done")
        log.info("event=shard_built shard=%d took_s=%s", shard, progress.took_s)
        return Built(shard=shard, ignored_vectors=ignored, took_s=progress.took_s)

    def _fill(self, builder: ShardBuilder, shard: int, progress: UnitProgress) -> None:
        """All images of the shard: the catalogue is partitioned otherwise, so every partition is read."""
        cut, target = self._plan.cut, self._plan.target
        extractor_id = target.extractor.extractor_id

        def own(product_id: str) -> bool:
            return shard_of_product(product_id, target.shards) == shard

        for partition in range(cut.event_partitions):
            for records in chunks(self._products.scan(partition, own)):
                vectors = vectors_of(records, self._features.get_many, extractor_id)
                batch = DeltaBatch(extractor_id)
                for record in records:
                    add_images(batch, record, vectors, cut.oldest[partition])
                builder.add(batch)
                progress.read(partition / cut.event_partitions, len(builder))
                self._metrics.count("images_built", len(batch))


def add_images(
    batch: DeltaBatch, record: ProductRecord, vectors: dict[tuple[str, str], bytes], oldest_sequence: int
) -> None:
    """Words the product's valid images, and its tombstones where an older delta of them may still be under way.

    Without a tombstone such a delta (a healing one, say) would find nothing to
    be compared with, and list what was removed. `oldest_sequence`: of the
    oldest event that the log still holds; what no event is left of, no delta is.
    """
    attributes = display_attributes(record)
    remembered = record.sequence >= oldest_sequence
    for entry in record.images:
        if remembered or (record.listed and entry.attached):
            add_state(batch, record, entry, vectors.get((record.product_id, entry.url)), attributes)


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
