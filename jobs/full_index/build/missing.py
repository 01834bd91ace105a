"""Vectors that a build lacks: asked of the streaming job's extraction stage, a bounded number at a time.

The feature store has one writer, so a batch job does not extract. It sends
requests, looks into the store and the dead letters for answers, and sends on
as these come: live images wait behind `WINDOW` of them at most.
"""

from __future__ import annotations

import logging
import time
from collections.abc import Iterable
from pathlib import Path

import msgspec

from feature_store.features import FeatureReader
from feature_store.open import live_features
from jobs.full_index.build.progress import UnitProgress
from jobs.full_index.truth.audit import MissingFeature, image_hex
from jobs.pipeline.extraction.extractors import ExtractorSpec, configured
from jobs.pipeline.extraction.stage import NOT_CONFIGURED
from messaging.admin import committed_offsets, describe
from messaging.consumer import PartitionReader
from messaging.producer import EventProducer
from schemas.access.kafka import Kafka
from schemas.errors import OperatorError, RejectedError, TransientError
from schemas.events.dead_letter import DeadLetter, decode_dead_letter
from schemas.events.extract_request import ExtractRequest, decode_request, encode_request
from schemas.ids import ImageKey, feature_partition, routing_key
from schemas.settings import Settings
from schemas.topics import DEAD_LETTERS, EXTRACT_REQUESTS, EXTRACTION_GROUP

log = logging.getLogger(__name__)

WINDOW = 64
"""Images asked for and not answered: twice a batch of the network. Above a few batches, a shop's new images, which wait
in the same partitions, were held up (measured: 0.04 s with 32 outstanding, 0.1 with 128, 0.7 with 250)."""
_POLL_S = 0.2
_OFFSETS_EVERY_S = 2.0


class Extracted(msgspec.Struct, kw_only=True):
    """What became of the missing vectors, by image (a picture that two products show counts once).

    `given_up`: dead letters say why; of the shop's own vectors, those that it
    has not sent. `unanswered`: extraction stood still for too long; the next
    build asks again.
    """

    asked: int = 0
    extracted: int = 0
    given_up: int = 0
    unanswered: int = 0


class MissingVectors:
    """Asks for vectors of one extractor. Belongs to one thread."""

    def __init__(self, settings: Settings, extractor: ExtractorSpec, wait_s: float) -> None:
        self._settings = settings
        self._extractor = extractor
        self._wait_s = wait_s
        self._configured = [spec.extractor_id for spec in configured(settings)]

    @property
    def of_further_extractor(self) -> bool:
        """Whether nobody asks for these vectors of old images: the stream does so for its main extractor only."""
        return self._extractor.extractor_id != self._configured[0]

    def extract(self, missing: Iterable[MissingFeature], count: int, progress: Path) -> Extracted:
        """Returns when each of the `count` missing ones is there, given up, or extraction stands still.

        Raises `OperatorError` when the streaming job does not run this
        extractor, `TransientError` when nothing was answered at all.
        """
        if not count:
            return Extracted()
        if self._extractor.extractor_id not in self._configured:
            raise self._not_run()
        if self._extractor.external:
            log.warning("event=own_vectors_missing extractor=%s images=%d next=%r", self._extractor.extractor_id, count,
                        "send the products' events with vectors, then build again")  # fmt: skip
            return Extracted(asked=0, given_up=count)
        log.info("event=extraction_asked extractor=%s missing=%d", self._extractor.extractor_id, count)
        settings, shown = self._settings, UnitProgress(progress, "extraction")
        letters = Letters(settings.kafka, self._extractor.extractor_id)
        reader = live_features(settings).reader(catch_up_interval_ms=0)
        try:
            with EventProducer(settings.kafka) as producer:
                return self._ask(missing, count, reader, producer, letters, shown)
        finally:
            reader.close()
            letters.close()

    def _ask(
        self,
        missing: Iterable[MissingFeature],
        count: int,
        reader: FeatureReader,
        producer: EventProducer,
        letters: Letters,
        shown: UnitProgress,
    ) -> Extracted:
        result = Extracted()
        lasting = {key for key, letter in letters.new().items() if not letter.transient and not _passing(letter)}
        source = iter(missing)
        open_keys: set[ImageKey] = set()
        answered: set[ImageKey] = set()
        stillness = _Stillness(self._settings.kafka, self._settings.feature_partitions, self._wait_s)
        while True:
            while len(open_keys) < WINDOW and (feature := next(source, None)) is not None:
                key = feature.key
                if key in open_keys or key in answered:
                    continue
                result.asked += 1
                if key in lasting:
                    result.given_up += 1
                    answered.add(key)
                    continue
                self._send(producer, feature)
                open_keys.add(key)
            producer.flush()
            if not open_keys:
                return result
            time.sleep(_POLL_S)
            keys = list(open_keys)
            found = reader.get_many(keys, self._extractor.extractor_id)
            came = {key for key, record in zip(keys, found, strict=True) if record is not None}
            refused = {key: letter for key, letter in letters.new().items() if key in open_keys - came}
            if any(_passing(letter) for letter in refused.values()):
                raise self._not_run()
            result.extracted += len(came)
            result.given_up += len(refused)
            answered |= came | refused.keys()
            open_keys -= answered
            shown.has_read((result.extracted + result.given_up) / count, result.extracted)
            if stillness.too_long(moved=bool(came or refused)):
                break
        result.unanswered = len(open_keys) + sum(1 for _ in source)
        if not result.extracted and not result.given_up:
            raise TransientError(
                "extraction_stands_still",
                f"none of {result.unanswered} requested vectors came within {self._wait_s:g} s; see vitrine status, "
                "then run the build again",
            )
        log.warning("event=extraction_left unanswered=%d waited_s=%g", result.unanswered, self._wait_s)
        return result

    def _send(self, producer: EventProducer, feature: MissingFeature) -> None:
        partitions = self._settings.feature_partitions
        request = ExtractRequest(
            product_id=feature.product_id,
            image_id=image_hex(feature),
            image_key=feature.key.hex(),
            url=feature.url,
            vector_seq=feature.image_seq,
            extractor_id=self._extractor.extractor_id,
        )
        owner = feature_partition(feature.key, partitions)
        producer.send(EXTRACT_REQUESTS, routing_key(owner, partitions), encode_request(request))

    def _not_run(self) -> OperatorError:
        entry = self._extractor.encoder + (f"={self._extractor.weights}" if self._extractor.weights else "")
        return OperatorError(
            f"the streaming job does not extract {self._extractor.extractor_id}: add {entry} to "
            "VITRINE_FURTHER_ENCODERS, submit the job anew with vitrine submit, then run the build again"
        )


class Letters:
    """Dead letters about images of one extractor, as they come. Belongs to one thread."""

    def __init__(self, kafka: Kafka, extractor_id: str) -> None:
        beginnings = describe(kafka, [DEAD_LETTERS])[DEAD_LETTERS].beginnings
        self._extractor_id = extractor_id
        self._readers = [
            PartitionReader(kafka, DEAD_LETTERS, partition, begin) for partition, begin in enumerate(beginnings)
        ]

    def new(self) -> dict[ImageKey, DeadLetter]:
        """The latest letter of each image among those that came since the last call."""
        found: dict[ImageKey, DeadLetter] = {}
        for reader in self._readers:
            end = reader.end_offset()
            # What a poll does not bring comes with the next call.
            while reader.position < end and (messages := reader.poll(1000, 5.0)):
                for message in messages:
                    self._note(message.value or b"", found)
        return found

    def _note(self, value: bytes, found: dict[ImageKey, DeadLetter]) -> None:
        try:
            letter = decode_dead_letter(value)
            if letter.topic != EXTRACT_REQUESTS:
                return
            request = decode_request(letter.value_bytes())
        except (msgspec.MsgspecError, RejectedError):
            return  # no letter of extraction about an image
        if request.extractor_id == self._extractor_id:
            found[ImageKey(bytes.fromhex(request.image_key))] = letter

    def close(self) -> None:
        for reader in self._readers:
            reader.close()


class _Stillness:
    """Whether extraction does nothing: no answer of ours, and no request of anybody's read."""

    def __init__(self, kafka: Kafka, partitions: int, wait_s: float) -> None:
        self._kafka = kafka
        self._partitions = partitions
        self._wait_s = wait_s
        self._moved_at = self._asked_at = time.monotonic()
        self._offsets: list[int | None] = []

    def too_long(self, *, moved: bool) -> bool:
        now = time.monotonic()
        if not moved and now - self._asked_at > _OFFSETS_EVERY_S:
            self._asked_at = now
            offsets = committed_offsets(self._kafka, EXTRACTION_GROUP, EXTRACT_REQUESTS, self._partitions)
            moved, self._offsets = offsets != self._offsets, offsets
        if moved:
            self._moved_at = now
        return now - self._moved_at > self._wait_s


def _passing(letter: DeadLetter) -> bool:
    return letter.reason == NOT_CONFIGURED
