"""Vectors that there are already, and requests for those that there are not: no feature is extracted twice.

Nor is one read and sent twice where its shard has it: an image that is listed already, and is listed again with the
same picture, is what most additions are (docs/adr/0064-rest-and-what-is-sent-once.md).
"""

from __future__ import annotations

from feature_store.features import FeatureReader
from jobs.pipeline.catalogue.carried import Carried
from jobs.pipeline.catalogue.config import CatalogueConfig
from jobs.pipeline.given_vectors import GivenVectors
from jobs.pipeline.stage import Metrics, Out
from schemas.events.extract_request import ExtractRequest, encode_request
from schemas.events.record import ImageEntry, ProductRecord
from schemas.features.ids import is_external
from schemas.ids import ImageKey, feature_partition, image_id, routing_key
from schemas.topics import EXTRACT_REQUESTS


class KnownVectors:
    """Reads `features`, and counts what is reused and what is missing in `metrics`."""

    def __init__(self, config: CatalogueConfig, features: FeatureReader, metrics: Metrics) -> None:
        self._config = config
        self._features = features
        self._metrics = metrics
        # Of several extractors, or of vectors that a shop brings with each event, every one goes out.
        self._carried = None if len(config.extractors) > 1 or is_external(config.main) else Carried()

    def not_sent(self, record: ProductRecord, urls: set[str]) -> list[ImageEntry]:
        """The attached images among `urls` whose vector the index may lack; the others count as reused."""
        attached = [entry for entry in record.images if entry.attached and entry.url in urls]
        if self._carried is None:
            return attached
        lacked, saved_ms = [], 0
        for entry in attached:
            ms = self._carried.saved_ms(record.product_id, entry.url, entry.image_seq)
            if ms is None:
                lacked.append(entry)
            else:
                saved_ms += ms
        if len(lacked) < len(attached):
            self._metrics.count("features_reused", len(attached) - len(lacked))
            self._metrics.count("cnn_ms_saved", saved_ms)
        return lacked

    def taken_down(self, record: ProductRecord, entry: ImageEntry) -> None:
        """The image is no longer on sale; when it is again its vector goes out again."""
        if self._carried is not None:
            self._carried.forget(record.product_id, entry.url, entry.image_seq)

    def look_up(
        self,
        wanted: list[tuple[ProductRecord, ImageEntry, ImageKey]],
        extractor_id: str,
        given: GivenVectors,
        out: list[Out],
    ) -> dict[tuple[str, str], bytes]:
        """Known features by (product, URL); a request goes out for each that is not known.

        A vector that the shop gave goes with it, to whoever owns the store.
        Without one there is nothing to ask for of an external extractor: the
        event that brought it was before, and its request is on the way.
        """
        config = self._config
        external = is_external(extractor_id)
        keys = [key for _, _, key in wanted]
        found = self._features.get_many(keys, extractor_id)
        vectors: dict[tuple[str, str], bytes] = {}
        saved_ms = 0.0
        for (record, entry, key), feature in zip(wanted, found, strict=True):
            if feature is not None:
                vectors[record.product_id, entry.url] = feature.vector
                saved_ms += feature.cnn_ms
                if self._carried is not None and record.listed and entry.attached:
                    self._carried.note(record.product_id, entry.url, entry.image_seq, feature.cnn_ms)
                continue
            vector = given.of(record, entry) if external else b""
            if vector is None:
                continue
            request = ExtractRequest(
                product_id=record.product_id,
                image_id=image_id(record.product_id, entry.url).hex(),
                image_key=key.hex(),
                url=entry.url,
                vector_seq=entry.image_seq,
                extractor_id=extractor_id,
                vector=vector,
            )
            partition = feature_partition(key, config.feature_partitions)
            routed = routing_key(partition, config.feature_partitions)
            out.append(Out(EXTRACT_REQUESTS, routed, encode_request(request), commutes=True))
        if extractor_id == config.main:
            self._metrics.count("features_reused", len(vectors))
            self._metrics.count("features_missing", len(wanted) - len(vectors))
        else:
            self._metrics.count("further_features_reused", len(vectors))
            self._metrics.count("further_features_missing", len(wanted) - len(vectors))
        self._metrics.count("cnn_ms_saved", round(saved_ms))
        return vectors
