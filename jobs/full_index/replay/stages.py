"""The work of a replay: events into the truth; audits and healing, a catalogue partition a unit.

It is done in Flink workers on copies of the stores (`jobs.pipeline.work`); answers go to the job's client.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path

import msgspec

from feature_store.open import catalogue_store, feature_store
from feature_store.products import ProductReader
from jobs.full_index.truth.audit import Comparison, PartitionAudit, Truth, chunks, vectors_of
from jobs.pipeline.catalogue.config import CatalogueConfig
from jobs.pipeline.catalogue.stage import CatalogueStage
from jobs.pipeline.core import add_erased, add_state, display_attributes
from jobs.pipeline.delta_outbox import DeltaOutbox
from jobs.pipeline.stage import Metrics, Record
from messaging.producer import EventProducer
from schemas.access.kafka import Kafka
from schemas.events.record import ProductRecord
from schemas.ids import shard_of_product


class Replayed(msgspec.Struct, frozen=True):
    """What one batch of the log came to. `ends`: the next offset by partition; `counts`: the stage's counters."""

    ends: dict[int, int]
    counts: dict[str, int]


class _Counts:
    """The catalogue stage's counters, for the client, beside Flink's own."""

    def __init__(self, metrics: Metrics) -> None:
        self._metrics = metrics
        self.values: dict[str, int] = {}

    def count(self, name: str, n: int = 1) -> None:
        self.values[name] = self.values.get(name, 0) + n
        self._metrics.count(name, n)

    def gauge(self, name: str, value: float) -> None:
        self._metrics.gauge(name, value)


class ReplayLog:
    """The streaming job's catalogue stage on the truth's store.

    Its deltas are not sent on: most of the range changes nothing that the
    shards do not have, and what they lack is worded once, from the final
    state, when the audit has shown it. Its dead letters lie in the topic since
    the stream saw these events, and misplaced events lie in the log as
    forwarded ones.
    """

    def __init__(self, config: CatalogueConfig) -> None:
        self._stage = CatalogueStage(replace(config, forward_misplaced=False))

    def open(self, metrics: Metrics) -> None:
        self._counts = _Counts(metrics)
        self._stage.open(self._counts)

    def process(self, batch: Sequence[Record], /) -> Replayed:
        self._counts.values = {}
        self._stage.process(batch)
        return Replayed({record.partition: record.offset + 1 for record in batch}, self._counts.values)

    def close(self) -> None:
        self._stage.close()


@dataclass(frozen=True, slots=True)
class StoreCopies:
    """Folders that a replay's units read, and the index they speak of; travels to the Flink worker by pickle.

    `shards`: of the index that is compared. Deltas are routed by
    `delta_partitions`, whatever its shards are. `extractors`: ids of that of the
    index, then of those whose vectors are looked after as well.
    """

    truth: str
    live: str
    features: str
    event_partitions: int
    feature_partitions: int
    shards: int
    extractors: tuple[str, ...]
    delta_partitions: int


class AuditUnit(msgspec.Struct, frozen=True):
    """Compare this partition. Sequences as in `audit.Comparison`; `salt` in hex."""

    partition: int
    end_sequence: int
    live_sequence: int
    sample: int
    salt: str


class Audit:
    """Answers each `AuditUnit` with a `PartitionAudit`."""

    def __init__(self, copies: StoreCopies) -> None:
        self._copies = copies

    def open(self, metrics: Metrics) -> None:
        copies = self._copies
        self._metrics = metrics
        self._truth = ProductReader(catalogue_store(Path(copies.truth), copies.event_partitions))
        self._live = ProductReader(catalogue_store(Path(copies.live), copies.event_partitions))
        self._features = feature_store(Path(copies.features), copies.feature_partitions).reader()

    def close(self) -> None:
        for reader in (self._truth, self._live, self._features):
            reader.close()

    def process(self, unit: AuditUnit, /) -> PartitionAudit:
        copies = self._copies
        audit = PartitionAudit(partition=unit.partition)
        comparison = Comparison(audit, unit.end_sequence, unit.live_sequence)
        truth = Truth(
            audit,
            copies.shards,
            copies.extractors,
            self._features.get_many,
            sample=unit.sample,
            salt=bytes.fromhex(unit.salt),
        )
        merged = comparison.merge(self._truth.scan(unit.partition), self._live.scan(unit.partition))
        for records in chunks(merged):
            truth.add(records)
            self._metrics.count("products_audited", len(records))
        return truth.finish()


class HealUnit(msgspec.Struct, frozen=True):
    """Send the state of this partition's products: all in `whole` shards, in `touched` shards the range's."""

    partition: int
    whole: list[int]
    touched: list[int]
    since_sequence: int


class Healed(msgspec.Struct, frozen=True):
    """How many products' states, and how many rows of deltas for their images, were sent."""

    products: int
    rows: int


class Heal:
    """Sends the truth to the shards as deltas with the sequences it has, so that what a shard has already stays.

    It writes to Kafka by itself: a whole shard must not pass through memory
    as one answer. The deltas carry no progress: what the stream has not
    delivered yet must not be said to be there. Answers `Healed`.
    """

    def __init__(self, copies: StoreCopies, bootstrap: Kafka) -> None:
        self._copies = copies
        self._bootstrap = bootstrap

    def open(self, metrics: Metrics) -> None:
        copies = self._copies
        self._metrics = metrics
        self._truth = ProductReader(catalogue_store(Path(copies.truth), copies.event_partitions))
        self._features = feature_store(Path(copies.features), copies.feature_partitions).reader()
        self._producer = EventProducer(self._bootstrap)

    def close(self) -> None:
        self._truth.close()
        self._features.close()

    def process(self, unit: HealUnit, /) -> Healed:
        products = rows = 0
        wanted = (record for record in self._truth.scan(unit.partition) if self._is_wanted(unit, record))
        for records in chunks(wanted):
            rows += self._send(records)
            products += len(records)
            self._metrics.count("products_healed", len(records))
        self._producer.flush()
        return Healed(products, rows)

    def _is_wanted(self, unit: HealUnit, record: ProductRecord) -> bool:
        shard = shard_of_product(record.product_id, self._copies.shards)
        return shard in unit.whole or (shard in unit.touched and record.sequence > unit.since_sequence)

    def _send(self, records: Sequence[ProductRecord]) -> int:
        copies = self._copies
        main = copies.extractors[0]
        outbox = DeltaOutbox(copies.delta_partitions, main)
        known = {name: vectors_of(records, self._features.get_many, name) for name in copies.extractors}
        rows = 0
        for record in records:
            partition = shard_of_product(record.product_id, copies.delta_partitions)
            attributes = display_attributes(record)
            if record.erased is not None:
                add_erased(partial(outbox.batch, partition, None), record)
                rows += len(record.erased.urls)
            for entry in record.images:
                vector = known[main].get((record.product_id, entry.url))
                add_state(outbox.batch(partition, vector, attributes), record, entry, vector, attributes)
                rows += 1
        rows += outbox.add_vectors(((record, entry) for record in records for entry in record.images), known)
        for out in outbox.seal([], everywhere=False):
            self._producer.send(out.topic, out.key, out.value)
        return rows
