"""Features that a replay finds missing: which extraction should try again, and what came of it."""

from __future__ import annotations

from collections.abc import Sequence

from feature_store.open import live_features
from jobs.full_index.replay.index import ServingIndex
from jobs.full_index.replay.report import ReplayReport
from jobs.full_index.truth.audit import MissingFeature, PartitionAudit, image_hex
from jobs.full_index.truth.live_log import given_up, wait_for_extraction
from jobs.pipeline.extraction.extractors import ExtractorSpec
from messaging.producer import EventProducer
from schemas.events.extract_request import ExtractRequest, encode_request
from schemas.ids import ImageKey, feature_partition, routing_key
from schemas.settings import Settings
from schemas.topics import EXTRACT_REQUESTS


class MissingFeatures:
    """Of one replay, whose `report` it completes. `extractors`: that the streaming job keeps current."""

    def __init__(
        self,
        settings: Settings,
        index: ServingIndex,
        extractors: Sequence[ExtractorSpec],
        report: ReplayReport,
        wait_s: float,
    ) -> None:
        self._settings = settings
        self._index = index
        self._extractors = extractors
        self._report = report
        self._wait_s = wait_s

    def judge(self, audits: Sequence[PartitionAudit]) -> list[MissingFeature]:
        """Images that extraction should try (again); those it gave up for good are counted only."""
        verdict, serving = self._report.features, self._index.extractor_id
        missing = [feature for audit in audits for feature in audit.missing_features]
        letters = given_up(self._settings.kafka) if missing else {}
        wanted = [feature for feature in missing if letters.get(feature.address, True)]
        verdict.missing = len(wanted)
        verdict.given_up = len(missing) - len(wanted)
        verdict.retried = sum(feature.address in letters for feature in wanted)
        verdict.examples = [f"{feature.product_id}: {feature.url}" for feature in wanted[:20]]
        if any(spec.extractor_id == serving for spec in self._extractors):
            return wanted
        self._report.problems.append(
            f"generation {self._index.generation} is of {serving}, which the streaming job does not extract: "
            "add its encoder to VITRINE_FURTHER_ENCODERS, vitrine stop, vitrine start"
        )
        return [feature for feature in wanted if feature.extractor_id != serving]

    def extract(self, missing: Sequence[MissingFeature]) -> None:
        """Asks the owner of the live store for them, with one attempt each, and counts what came of it."""
        if not missing:
            return
        settings = self._settings
        with EventProducer(settings.kafka) as producer:
            for feature in missing:
                owner = feature_partition(feature.key, settings.feature_partitions)
                key = routing_key(owner, settings.feature_partitions)
                producer.send(EXTRACT_REQUESTS, key, encode_request(self._request(feature)))
        if not wait_for_extraction(settings.kafka, self._wait_s):
            self._report.problems.append("extraction has not answered all requests yet; see vitrine status")
        keys: dict[str, list[ImageKey]] = {}
        for feature in missing:
            keys.setdefault(feature.extractor_id, []).append(feature.key)
        reader = live_features(settings).reader(catch_up_interval_ms=0)
        try:
            found = [record for name, asked in keys.items() for record in reader.get_many(asked, name)]
        finally:
            reader.close()
        self._report.features.recovered = sum(record is not None for record in found)

    def _request(self, feature: MissingFeature) -> ExtractRequest:
        return ExtractRequest(
            product_id=feature.product_id,
            image_id=image_hex(feature),
            image_key=feature.key.hex(),
            url=feature.url,
            vector_seq=feature.image_seq,
            extractor_id=feature.extractor_id,
            attempt=self._settings.fetch_max_attempts - 1,
        )
