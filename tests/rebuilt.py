"""Shards built by feeding the whole log through the pure core in one go: what the stream must equal."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from indexing.shard.shard import Shard
from jobs.pipeline.core import Origin, add_state, apply, display_attributes
from jobs.pipeline.extraction.extractors import configured
from jobs.pipeline.given_vectors import VectorRule
from messaging.consumer import Message, PartitionReader
from schemas.deltas.delta import DeltaBatch
from schemas.errors import RejectedError
from schemas.events.event import Forwarded, Heartbeat, decode_event, decode_forwarded
from schemas.events.record import ProductRecord
from schemas.features.ids import dimension_of
from schemas.features.record import decode_feature
from schemas.ids import image_key, kafka_partition, sequence, shard_of_product
from schemas.settings import Settings
from schemas.topics import IMAGE_FEATURES, PRODUCT_EVENTS
from tests.system import System, eventually
from vision.extractor import extractor_id


@dataclass(frozen=True)
class Rebuilt:
    """`digests` by shard, in hex; `valid` images in all of them."""

    digests: list[str]
    records: dict[str, ProductRecord]


class LogTruth:
    """The products and features as `product-events` and `image-features` have them; knows no stage, store or searcher.

    `read` takes up what the topics have grown by. `applied(record, message)`
    is called with each new state of a product and the record that brought it.
    """

    def __init__(
        self,
        settings: Settings,
        extractor: str = "",
        applied: Callable[[ProductRecord, Message], None] = lambda _record, _message: None,
    ) -> None:
        self.records: dict[str, ProductRecord] = {}
        self._vectors: dict[bytes, bytes] = {}
        self._settings = settings
        self._extractor = extractor or extractor_id(settings.encoder, settings.weights)
        self._rule = VectorRule([spec.extractor_id for spec in configured(settings)])
        self._applied = applied
        self._epoch = 0
        self._read_until: dict[tuple[str, int], int] = {}

    def read(self) -> None:
        """Both topics up to their ends at the call. Raises `TransientError` while Kafka is away."""
        for partition in range(self._settings.event_partitions):
            self._follow(PRODUCT_EVENTS, partition, self.take)
        for partition in range(self._settings.feature_partitions):
            self._follow(IMAGE_FEATURES, partition, self._take_feature)

    def log_was_made_anew(self, settings: Settings) -> None:
        """`product-events` is another topic from now on, with the partitions of `settings`."""
        self._settings = settings
        self._epoch += 1
        self._read_until = {where: end for where, end in self._read_until.items() if where[0] != PRODUCT_EVENTS}

    def digests(self, shards: int = 0) -> list[str]:
        """Of every shard, in hex. `shards`: of the index to equal, by default the settings'."""
        shards = shards or self._settings.shards
        name = self._extractor
        index = [Shard(name, dimension_of(name)) for _ in range(shards)]
        for record in self.records.values():
            batch = DeltaBatch(extractor_id=name)
            for entry in record.images:
                vector = self._vectors.get(image_key(entry.url, entry.version))
                add_state(batch, record, entry, vector, display_attributes(record))
            index[shard_of_product(record.product_id, shards)].apply(batch)
        return [shard.stats().digest.hex() for shard in index]

    def _follow(self, topic: str, partition: int, take: Callable[[Message], None]) -> None:
        where = topic, partition
        reader = PartitionReader(self._settings.kafka, topic, partition, self._read_until.get(where))
        try:
            end = reader.end_offset()
            idle = 0
            while reader.position < end and idle < 20:  # gaps of a compacted topic may reach up to its end
                batch = reader.poll(10_000, 0.5)
                idle = 0 if batch else idle + 1
                for message in batch:
                    take(message)
                self._read_until[where] = reader.position
        finally:
            reader.close()

    def take(self, message: Message) -> None:
        """One record of `product-events`, the next of its partition."""
        origin = None
        try:
            event = decode_event(message.value)
            if isinstance(event, Heartbeat):
                return
            if isinstance(event, Forwarded):
                origin = Origin(event.origin_partition, event.origin_sequence)
                if origin.partition >= self._settings.event_partitions or origin.sequence > sequence(
                    self._epoch + 1, -1
                ):
                    return  # forged
                event = decode_forwarded(event)
            self._rule.check(event)
            if kafka_partition(event.product_id.encode(), self._settings.event_partitions) != message.partition:
                return  # its forwarded copy lies in the right partition
            number = sequence(self._epoch, message.offset)
            record = apply(self.records.get(event.product_id), event, number, origin).record
        except RejectedError:
            return  # a dead letter in the stream, nothing here
        self.records[event.product_id] = record
        self._applied(record, message)

    def _take_feature(self, message: Message) -> None:
        if message.value is not None:
            feature = decode_feature(message.value)
            if feature.extractor_id == self._extractor:
                self._vectors[feature.image_key] = feature.vector


def rebuild(settings: Settings, shards: int = 0, extractor: str = "") -> Rebuilt:
    """Reads `product-events` and `image-features` to their ends, and builds the shards that they come to.

    `shards`: of the index to equal, by default the settings'; `extractor`: its
    id, by default that of the settings' encoder.
    """
    truth = LogTruth(settings, extractor)
    truth.read()
    return Rebuilt(truth.digests(shards), truth.records)


def stream_equals_batch(system: System, shards: int = 0) -> None:
    """Waits until the serving shards are what the log, fed through the pure core, comes to.

    Both go on while they are read: vectors that are still under way (say, of
    images that another test has removed) may lie between the two.
    """

    def equal() -> bool:
        return [digest for _, digest in sorted(system.digests().items())] == rebuild(system.settings, shards).digests

    eventually(equal, "stream equals batch", poll_s=0.5)
