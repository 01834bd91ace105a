"""A build's missing vectors, asked of an extraction stage over a real Kafka; what answers here is the test."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from pathlib import Path

import msgspec
import pytest

from cli.runtime.system import System as Runtime
from feature_store.open import feature_store
from jobs.full_index.build import missing as build_extraction
from jobs.full_index.build.missing import MissingVectors
from jobs.full_index.truth.audit import MissingFeature
from jobs.pipeline.extraction.extractors import ExtractorSpec, configured
from jobs.pipeline.extraction.stage import NOT_CONFIGURED
from messaging.admin import describe
from messaging.consumer import PartitionsReader
from messaging.producer import EventProducer
from schemas.errors import OperatorError, TransientError
from schemas.events.dead_letter import encode_dead_letter, make_dead_letter
from schemas.events.extract_request import ExtractRequest, decode_request
from schemas.features.record import FeatureRecord
from schemas.settings import Settings
from schemas.topics import DEAD_LETTERS, EXTRACT_REQUESTS
from tests.system import system_settings

FURTHER = "efficientnet_lite0"

Answer = FeatureRecord | str | None
"""A vector, the reason of a dead letter, or nothing."""


@pytest.fixture(scope="module")
def settings(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Settings]:
    found = system_settings(tmp_path_factory.mktemp("build-extraction"), further_encoders=[FURTHER])
    runtime = Runtime(found)
    try:
        runtime.start_kafka()
        yield found
    finally:
        runtime.stop()


class Extraction:
    """Reads requests and answers them as it is told, into the feature store and the dead letters."""

    def __init__(self, settings: Settings, answer: Callable[[ExtractRequest], Answer]) -> None:
        self.requests: list[ExtractRequest] = []
        self.most_open = 0
        self._settings = settings
        self._answer = answer
        self._stop = threading.Event()
        ends = describe(settings.bootstrap, [EXTRACT_REQUESTS])[EXTRACT_REQUESTS].ends
        self._offsets: dict[int, int | None] = dict(enumerate(ends))
        self._thread = threading.Thread(target=self._run)

    def __enter__(self) -> Extraction:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._stop.set()
        self._thread.join()

    def _run(self) -> None:
        settings = self._settings
        reader = PartitionsReader(settings.bootstrap, EXTRACT_REQUESTS, self._offsets)
        writer = feature_store(settings.layout.feature_store, settings.feature_partitions).writer()
        try:
            with EventProducer(settings.bootstrap) as producer:
                while not self._stop.is_set():
                    # So many were open at a time: all that were sent come in one go, or in a few.
                    requests = [decode_request(message.value) for message in reader.poll(10_000, 0.5)]
                    self.requests += requests
                    self.most_open = max(self.most_open, len(requests))
                    for request in requests:
                        match self._answer(request):
                            case FeatureRecord() as record:
                                writer.put_many([record])
                            case str(reason):
                                producer.send(DEAD_LETTERS, None, letter(request, reason))
                    producer.flush()
        finally:
            reader.close()
            writer.close()


def letter(request: ExtractRequest, reason: str) -> bytes:
    return encode_dead_letter(
        make_dead_letter(
            reason=reason,
            detail="",
            stage="extraction",
            transient=False,
            topic=EXTRACT_REQUESTS,
            partition=0,
            offset=0,
            at_ms=1,
            key=None,
            value=msgspec.json.encode(request),
        )
    )


def vector(request: ExtractRequest) -> FeatureRecord:
    return FeatureRecord(bytes.fromhex(request.image_key), request.extractor_id, bytes(16), b"", 1, 1.0, request.url)


def further(settings: Settings) -> ExtractorSpec:
    return configured(settings)[1]


def images(settings: Settings, name: str, count: int) -> list[MissingFeature]:
    extractor_id = further(settings).extractor_id
    return [MissingFeature(f"{name}-{n}", f"file:///{name}/{n}.jpg", None, n + 1, extractor_id) for n in range(count)]


def test_all_vectors_come_with_few_requests_open_at_a_time(
    settings: Settings, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(build_extraction, "WINDOW", 20)
    missing = images(settings, "all", 90)
    shared = MissingFeature("all-again", missing[0].url, None, 7, missing[0].extractor_id)
    with Extraction(settings, vector) as stage:
        vectors = MissingVectors(settings, further(settings), 60)
        found = vectors.extract([*missing, shared], 91, tmp_path)
    assert vectors.of_further_extractor
    assert (found.asked, found.extracted, found.given_up, found.unanswered) == (90, 90, 0, 0)
    assert {request.url for request in stage.requests} == {feature.url for feature in missing}
    assert len(stage.requests) == 90
    assert 0 < stage.most_open <= 20
    assert {(request.extractor_id, request.attempt) for request in stage.requests} == {
        (further(settings).extractor_id, 0)
    }


def test_what_extraction_gives_up_is_counted_and_not_asked_for_again(settings: Settings, tmp_path: Path) -> None:
    missing = images(settings, "lost", 10)
    lost = {feature.url for feature in missing[:4]}
    with Extraction(settings, lambda request: "http_404" if request.url in lost else vector(request)) as stage:
        first = MissingVectors(settings, further(settings), 60).extract(missing, 10, tmp_path)
        asked = len(stage.requests)
        second = MissingVectors(settings, further(settings), 60).extract(missing[:4], 4, tmp_path)
    assert (first.extracted, first.given_up, first.unanswered) == (6, 4, 0)
    assert (second.extracted, second.given_up, second.unanswered) == (0, 4, 0)
    assert asked == len(stage.requests) == 10


def test_job_that_does_not_run_the_extractor_is_named_and_can_be_mended(settings: Settings, tmp_path: Path) -> None:
    missing = images(settings, "foreign", 3)
    with (
        Extraction(settings, lambda _: NOT_CONFIGURED),
        pytest.raises(OperatorError, match=f"add {FURTHER} to VITRINE_FURTHER_ENCODERS"),
    ):
        MissingVectors(settings, further(settings), 60).extract(missing, 3, tmp_path)
    with Extraction(settings, vector):
        found = MissingVectors(settings, further(settings), 60).extract(missing, 3, tmp_path)
    assert (found.extracted, found.given_up) == (3, 0)


def test_extraction_that_stands_still_is_not_waited_for_without_end(settings: Settings, tmp_path: Path) -> None:
    missing = images(settings, "still", 5)
    with pytest.raises(TransientError, match="vitrine status"):
        MissingVectors(settings, further(settings), 0.5).extract(missing, 5, tmp_path)
    one = missing[0].url
    with Extraction(settings, lambda request: vector(request) if request.url == one else None):
        found = MissingVectors(settings, further(settings), 2.0).extract(missing, 5, tmp_path)
    assert (found.extracted, found.unanswered) == (1, 4)
