"""Features of erased products: found by a scan of the copies, deleted by their owner, taken out of `image-features`.

Nothing but a scan tells whether another product shows the same picture: a
feature belongs to a URL and its version, not to a product. So this waits for
the nightly replay, and costs a pass over both stores in nights after an
erasure. It is repeated while the log holds the erasure: an extraction that was
under way may have brought a feature back.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

from feature_store.features import FeatureReader
from feature_store.products import ProductReader
from messaging.producer import EventProducer
from schemas.events.extract_request import ExtractRequest, encode_request
from schemas.features.record import feature_topic_key
from schemas.ids import ImageKey, feature_partition, image_key, product_hash, routing_key, url_hash
from schemas.topics import EXTRACT_REQUESTS, IMAGE_FEATURES


class ErasedFeature(NamedTuple):
    """A feature, or the note that there is none, that only an erased product had. `sequence`: of the erasure."""

    product_id: str
    url_hash: bytes
    sequence: int
    image_key: ImageKey
    extractor_id: str


def erased_features(products: ProductReader, features: FeatureReader, oldest: Sequence[int]) -> list[ErasedFeature]:
    """Of erasures from the sequence `oldest[partition]` on; of any extractor, and of every version of a picture.

    A feature stays that a product, removed ones included, refers to.
    """
    gone: dict[bytes, tuple[str, int]] = {}
    for partition, least in enumerate(oldest):
        for record in products.scan(partition):
            if record.erased is not None and record.erased.sequence >= least:
                gone |= dict.fromkeys(record.erased.urls, (record.product_id, record.erased.sequence))
    if not gone:
        return []
    used = {
        image_key(entry.url, entry.version)
        for partition in range(len(oldest))
        for record in products.scan(partition)
        for entry in record.images
        if url_hash(entry.url) in gone
    }
    found: list[ErasedFeature] = []
    for feature in features.scan():
        url = url_hash(feature.url)
        key = ImageKey(feature.image_key)
        if url in gone and key not in used:
            found.append(ErasedFeature(gone[url][0], url, gone[url][1], key, feature.extractor_id))
    return found


def erasure_request(feature: ErasedFeature) -> ExtractRequest:
    """What tells the feature's owner to delete it."""
    return ExtractRequest(
        product_id=feature.product_id,
        image_id=(product_hash(feature.product_id) + feature.url_hash).hex(),
        image_key=feature.image_key.hex(),
        url="erased:",
        vector_seq=feature.sequence,
        extractor_id=feature.extractor_id,
        erase=True,
    )


def send_erasures(found: Sequence[ErasedFeature], producer: EventProducer, feature_partitions: int) -> None:
    """Asks the owner to delete each, and marks it deleted in the compacted topic."""
    for feature in found:
        owner = routing_key(feature_partition(feature.image_key, feature_partitions), feature_partitions)
        producer.send(EXTRACT_REQUESTS, owner, encode_request(erasure_request(feature)))
        producer.send(IMAGE_FEATURES, feature_topic_key(feature.image_key, feature.extractor_id), None)
