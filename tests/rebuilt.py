"""Shards built by feeding the whole log through the pure core in one go: what the stream must equal."""

from __future__ import annotations

from dataclasses import dataclass

from indexing.shard import Shard
from jobs.pipeline.core import Origin, add_state, apply, display_attributes
from messaging.admin import describe
from messaging.consumer import read_all
from schemas.delta import DeltaBatch
from schemas.errors import RejectedError
from schemas.feature import decode_feature
from schemas.ids import image_key, kafka_partition, sequence, shard_of_product
from schemas.product_event import Forwarded, Heartbeat, decode_event, decode_forwarded
from schemas.product_record import ProductRecord
from schemas.settings import Settings
from schemas.topics import IMAGE_FEATURES, PRODUCT_EVENTS
from tests.system import System, eventually
from vision.extractor import dimension_of, extractor_id


@dataclass(frozen=True)
class Rebuilt:
    """`digests` by shard, in hex; `valid` images in all of them."""

    digests: list[str]
    records: dict[str, ProductRecord]


def rebuild(settings: Settings, shards: int = 0, extractor: str = "") -> Rebuilt:
    """Reads `product-events` and `image-features` to their ends; knows no stage, store or searcher.

    `shards`: of the index to equal, by default the settings'; `extractor`: its
    id, by default that of the settings' encoder.
    """
    shards = shards or settings.shards
    name = extractor or extractor_id(settings.encoder, settings.weights)
    records: dict[str, ProductRecord] = {}
    for partition in range(settings.event_partitions):
        for message in read_all(settings.kafka, PRODUCT_EVENTS, partition):
            origin = None
            try:
                event = decode_event(message.value)
                if isinstance(event, Heartbeat):
                    continue
                if isinstance(event, Forwarded):
                    origin = Origin(event.origin_partition, event.origin_sequence)
                    event = decode_forwarded(event)
                if kafka_partition(event.product_id.encode(), settings.event_partitions) != partition:
                    continue  # its forwarded copy lies in the right partition
                number = sequence(0, message.offset)
                records[event.product_id] = apply(records.get(event.product_id), event, number, origin).record
            except RejectedError:
                continue  # a dead letter in the stream, nothing here
    vectors: dict[bytes, bytes] = {}
    for partition in range(len(describe(settings.kafka, [IMAGE_FEATURES])[IMAGE_FEATURES].ends)):
        for message in read_all(settings.kafka, IMAGE_FEATURES, partition):
            if message.value is not None:
                feature = decode_feature(message.value)
                if feature.extractor_id == name:
                    vectors[feature.image_key] = feature.vector
    index = [Shard(name, dimension_of(name)) for _ in range(shards)]
    for record in records.values():
        batch = DeltaBatch(extractor_id=name)
        for entry in record.images:
            vector = vectors.get(image_key(entry.url, entry.version))
            add_state(batch, record, entry, vector, display_attributes(record))
        index[shard_of_product(record.product_id, shards)].apply(batch)
    return Rebuilt([shard.stats().digest.hex() for shard in index], records)


def stream_equals_batch(system: System, shards: int = 0) -> None:
    """Waits until the serving shards are what the log, fed through the pure core, comes to.

    Both go on while they are read: vectors that are still under way (say, of
    images that another test has removed) may lie between the two.
    """

    def equal() -> bool:
        return [digest for _, digest in sorted(system.digests().items())] == rebuild(system.settings, shards).digests

    eventually(equal, "stream equals batch", poll_s=0.5)
