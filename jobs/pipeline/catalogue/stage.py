"""The catalogue stage: product events in; deltas, extraction requests, product records and dead letters out.

An adapter around `core.apply`: it finds the records, keeps them with the log
position they stand for in one write, looks features up, and words the result
as Kafka records. One instance owns the store partitions whose Kafka
partitions its subtask reads.

Replay: an event at or below its partition's applied position, or its
product's own (a store made anew from `catalogue-records` has no other),
changes no state; the product's whole present state is emitted again, since the records
that followed from it may have been lost with the task. Deltas commute, so
more than needed is harmless.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial
from pathlib import Path

from feature_store.open import catalogue_store, feature_store
from feature_store.products import ProductStore
from jobs.pipeline.catalogue.config import CatalogueConfig
from jobs.pipeline.catalogue.known_vectors import KnownVectors
from jobs.pipeline.catalogue.work import Work
from jobs.pipeline.core import Origin, Outcome, add_erased, add_state, apply, display_attributes
from jobs.pipeline.dead_letters import dead_letter
from jobs.pipeline.delta_outbox import DeltaOutbox
from jobs.pipeline.given_vectors import VectorRule
from jobs.pipeline.stage import Metrics, Out, Record
from schemas.deltas.delta import Progress
from schemas.errors import RejectedError
from schemas.events.event import (
    Forwarded,
    Heartbeat,
    ProductErased,
    ProductEvent,
    decode_event,
    decode_forwarded,
    forward,
)
from schemas.events.record import ImageEntry, ProductRecord, encode_record
from schemas.features.ids import is_external
from schemas.ids import (
    ImageKey,
    image_key,
    kafka_partition,
    sequence,
    shard_of_product,
)
from schemas.topics import CATALOGUE_RECORDS, PRODUCT_EVENTS

STAGE = "catalogue"


def _recorded(record: ProductRecord, encoded: bytes) -> Out:
    """For the store's durable copy, in which a product's last record is its present one.

    Two of one product do not commute, strictly. Records are written ahead only where a call returns too much
    (`jobs.pipeline.overflow`), and Flink's sink has sent those of the call before by then: it holds them for
    milliseconds, and so large a call takes tenths of a second.
    """
    return Out(CATALOGUE_RECORDS, record.product_id.encode(), encoded, commutes=True)


class CatalogueStage:
    """See the module's docstring; the contract is `jobs.pipeline.stage.Stage`."""

    def __init__(self, config: CatalogueConfig) -> None:
        self._config = config
        self._vectors = VectorRule(config.extractors)

    def open(self, metrics: Metrics) -> None:
        config = self._config
        self._metrics = metrics
        self._products = ProductStore(
            catalogue_store(Path(config.store_folder), config.event_partitions, config.server)
        )
        self._features = feature_store(Path(config.feature_folder), config.feature_partitions, config.server).reader()
        self._known = KnownVectors(config, self._features, metrics)

    def close(self) -> None:
        self._products.close()
        self._features.close()

    def process(self, batch: Sequence[Record]) -> list[Out]:
        by_partition: dict[int, list[Record]] = {}
        for record in batch:
            by_partition.setdefault(record.partition, []).append(record)
        outbox = DeltaOutbox(self._config.delta_partitions, self._config.main)
        out: list[Out] = []
        progress: list[Progress] = []
        heartbeat = False
        for partition, records in by_partition.items():
            heartbeat |= self._partition(partition, records, outbox, out)
            last = records[-1]
            progress.append(
                Progress(
                    partition,
                    self._config.event_partitions,
                    sequence(self._config.epoch, last.offset),
                    last.timestamp_ms,
                )
            )
        out.extend(outbox.seal(progress, everywhere=heartbeat))
        self._metrics.count("events", len(batch))
        return out

    def _partition(self, partition: int, records: list[Record], outbox: DeltaOutbox, out: list[Out]) -> bool:
        """One partition's records, in log order. Returns whether a heartbeat was among them."""
        heartbeat = False
        events: list[tuple[Record, ProductEvent, Origin | None]] = []
        for record in records:
            try:
                event = decode_event(record.value)
                origin = None
                if isinstance(event, Heartbeat):
                    heartbeat = True
                    continue
                if isinstance(event, Forwarded):
                    origin = self._origin(event)
                    event = decode_forwarded(event)
                self._vectors.check(event)
                events.append((record, event, origin))
            except RejectedError as error:
                out.append(self._dead_letter(record, error))
        if events:
            work = self._apply(partition, events, out)
            self._emit(work, outbox, out)
        return heartbeat

    def _origin(self, event: Forwarded) -> Origin:
        """Where it lay first. Raises `RejectedError` when it cannot have: believed, it would shut out what does."""
        partition, number = event.origin_partition, event.origin_sequence
        if partition >= self._config.event_partitions or number > sequence(self._config.epoch + 1, -1):
            raise RejectedError(
                "invalid_event",
                f"forwarded from partition {partition}, sequence {number}, which {PRODUCT_EVENTS} does not have; only "
                "the catalogue stage forwards: produce the event itself",
            )
        return Origin(partition, number)

    def _apply(self, partition: int, events: list[tuple[Record, ProductEvent, Origin | None]], out: list[Out]) -> Work:
        """Runs the core over the events and stores the records, with the position, in one write."""
        epoch = self._config.epoch
        ids = list({event.product_id for _, event, _ in events})
        work = Work(dict(zip(ids, self._products.get_many(partition, ids), strict=True)))
        applied_until = self._products.applied(partition)
        counts: dict[str, int] = {}
        number = 0
        for record, event, origin in events:
            known = work.records[event.product_id]
            if known is None and self._misplaced(record, event, origin, out):
                continue
            number = sequence(epoch, record.offset)
            if known is not None and number <= max(applied_until, known.sequence):
                work.replayed.add(event.product_id)
                counts["events_replayed"] = counts.get("events_replayed", 0) + 1
                attached = {entry.url for entry in known.images if entry.attached} if known.listed else set()
                work.given.note(event)
                work.note(event.product_id, {entry.url for entry in known.images}, attached)
                if known.erased is not None:
                    work.erased.add(event.product_id)
                continue
            try:
                result = apply(known, event, number, origin)
            except RejectedError as error:
                out.append(self._dead_letter(record, error))
                continue
            counts[result.outcome.value] = counts.get(result.outcome.value, 0) + 1
            if result.outcome is Outcome.APPLIED:
                work.records[event.product_id] = result.record
                work.dirty.add(event.product_id)
                work.note(event.product_id, result.changed, result.wanted)
                work.given.note(event)
                if isinstance(event, ProductErased):
                    work.erased.add(event.product_id)
        if work.dirty:
            dirty = [changed for product_id in work.dirty if (changed := work.records[product_id]) is not None]
            encoded = self._products.write(partition, dirty, max(number, applied_until))
            out.extend(map(_recorded, dirty, encoded))
        for product_id in work.replayed - work.dirty:
            present = work.records[product_id]
            if present is not None:
                out.append(_recorded(present, encode_record(present)))
        # Also in a replay: the stage may have been killed in between.
        self._products.purge(partition, work.erased)
        for name, count in counts.items():
            self._metrics.count(name, count)
        return work

    def _emit(self, work: Work, outbox: DeltaOutbox, out: list[Out]) -> None:
        """Words the touched images as deltas, each once, in its final state of this batch.

        The state goes with the main extractor's row: shards of every extractor
        take states from any batch, and vectors from their own's alone.
        """
        config = self._config
        wanted: list[tuple[ProductRecord, ImageEntry, ImageKey]] = []
        for product_id, urls in work.wanted.items():
            record = work.records[product_id]
            if record is None or not record.listed:
                continue
            if product_id in work.replayed:  # what was sent may have been lost with the task
                entries = [entry for entry in record.images if entry.attached and entry.url in urls]
            else:
                entries = self._known.not_sent(record, urls)
            wanted += [(record, entry, image_key(entry.url, entry.version)) for entry in entries]
        # Of a product that is not listed yet (or no longer) too: no later event brings the vector again.
        brought = wanted + [
            (record, entry, image_key(entry.url, entry.version))
            for record, entry in work.given.images(work.records)
            if not (record.listed and entry.attached)
        ]
        known = {
            name: self._known.look_up(brought if is_external(name) else wanted, name, work.given, out)
            for name in config.extractors
            if brought
        }
        outbox.add_vectors([(record, entry) for record, entry, _ in wanted], known)
        vectors = known.get(config.main, {})
        for product_id in work.erased:
            record = work.records[product_id]
            if record is not None:
                partition = shard_of_product(product_id, config.delta_partitions)
                add_erased(partial(outbox.batch, partition, None), record)
        for product_id in {**work.touched, **work.wanted}:
            record = work.records[product_id]
            if record is None:
                continue
            urls = work.touched.get(product_id, set())
            partition = shard_of_product(product_id, config.delta_partitions)
            attributes = display_attributes(record)
            for entry in record.images:
                if not (record.listed and entry.attached):
                    self._known.taken_down(record, entry)
                vector = vectors.get((product_id, entry.url))
                if entry.url in urls or vector is not None:
                    add_state(outbox.batch(partition, vector, attributes), record, entry, vector, attributes)

    def _misplaced(self, record: Record, event: ProductEvent, origin: Origin | None, out: list[Out]) -> bool:
        """Whether a product new to this partition belongs to another; then the event is sent on there."""
        key = event.product_id.encode()
        right = kafka_partition(key, self._config.event_partitions)
        if right == record.partition:
            return False
        self._metrics.count("events_misplaced")
        if not self._config.forward_misplaced:
            return True
        if origin is None:
            origin = Origin(record.partition, sequence(self._config.epoch, record.offset))
        assert record.value is not None  # it was decoded
        out.append(Out(PRODUCT_EVENTS, key, forward(record.value, origin.partition, origin.sequence)))
        return True

    def _dead_letter(self, record: Record, error: RejectedError) -> Out:
        self._metrics.count("dead_letters")
        return dead_letter(STAGE, PRODUCT_EVENTS, record, error.reason, error.detail, transient=False)
