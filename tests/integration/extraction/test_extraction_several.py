"""Two extractors in one extraction stage: real networks, processes and store."""

from __future__ import annotations

import os
import signal
from collections.abc import Iterator
from contextlib import contextmanager

import numpy as np
import pytest

from jobs.pipeline.extraction.extractors import ExtractorSpec
from jobs.pipeline.extraction.schedule import BACKLOG_BATCHES
from jobs.pipeline.extraction.stage import ExtractionStage
from jobs.pipeline.stage import Out
from schemas.deltas.delta import decode_deltas
from schemas.events.extract_request import ExtractRequest, decode_requests
from schemas.features.ids import dimension_of
from schemas.features.record import decode_feature
from schemas.topics import EXTRACT_REQUESTS, IMAGE_FEATURES, INDEX_DELTAS
from tests.support.metrics import CountingMetrics
from tests.support.stages.extraction import ENCODER, World, letters
from vision.extractor import extractor_id

MAIN = extractor_id(ENCODER)
SECOND = ExtractorSpec(extractor_id(f"{ENCODER}_composite"), f"{ENCODER}_composite")
BATCH = 4


@pytest.fixture(scope="module")
def world(tmp_path_factory: pytest.TempPathFactory) -> Iterator[World]:
    world = World(tmp_path_factory.mktemp("extraction-several"), SECOND, batch=BATCH)
    yield world
    world.stage.close()
    world.site.server.shutdown()


def both(world: World, path: str) -> tuple[ExtractRequest, ExtractRequest]:
    return world.request(path), world.request(path, extractor=SECOND.extractor_id)


def second(world: World, path: str) -> ExtractRequest:
    return world.request(path, extractor=SECOND.extractor_id)


def vectors(out: list[Out]) -> dict[tuple[str, str], bytes]:
    """By extractor id and image id, as the deltas carry them."""
    found: dict[tuple[str, str], bytes] = {}
    for record in out:
        if record.topic == INDEX_DELTAS:
            batch = decode_deltas(record.value)
            for image, vector in zip(batch.image_id, batch.vector, strict=True):
                assert vector is not None
                found[batch.extractor_id, image.hex()] = vector
    return found


def gone_round(out: list[Out]) -> list[ExtractRequest]:
    return [each for record in out if record.topic == EXTRACT_REQUESTS for each in decode_requests(record.value)]


@contextmanager
def frozen(pid: int) -> Iterator[None]:
    """A network that takes for ever."""
    os.kill(pid, signal.SIGSTOP)
    try:
        yield
    finally:
        os.kill(pid, signal.SIGCONT)


def test_second_network_is_loaded_with_its_first_request_only(world: World) -> None:
    world.until_settled(world.request("/ok/1"))
    assert set(world.stage._extractions.pids) == {MAIN}
    world.until_settled(second(world, "/ok/1"))
    assert set(world.stage._extractions.pids) == {MAIN, SECOND.extractor_id}


def test_each_request_is_answered_with_a_vector_of_its_extractor(world: World) -> None:
    requests = both(world, "/ok/2")
    out = world.until_settled(*requests)
    found = vectors(out)
    assert set(found) == {(request.extractor_id, request.image_id) for request in requests}
    for (extractor, _), vector in found.items():
        array = np.frombuffer(vector, "<f4")
        assert len(array) == dimension_of(extractor)
        assert abs(float(np.linalg.norm(array)) - 1) < 1e-4
    records = [decode_feature(record.value) for record in out if record.topic == IMAGE_FEATURES]
    assert {(record.extractor_id, record.vector) for record in records} == {(e, v) for (e, _), v in found.items()}


def test_equal_bytes_are_extracted_once_for_each_extractor(world: World) -> None:
    before = world.metrics.counts["extracted"]
    world.until_settled(*both(world, "/same/1"))
    found = vectors(world.until_settled(*both(world, "/same/2"), *both(world, "/same/3")))
    assert world.metrics.counts["extracted"] - before == 2
    assert len(found) == 4
    assert len(set(found.values())) == 2


def test_second_extractors_backlog_does_not_hold_up_the_first(world: World) -> None:
    world.until_settled(second(world, "/ok/40"))
    with frozen(world.stage._extractions.pids[SECOND.extractor_id]):
        waiting = [second(world, f"/ok/4{n}") for n in range(1, BATCH + 1)]
        urgent = world.request("/ok/49")
        out, again = world.until_only({request.url for request in waiting}, *waiting, urgent)
        assert set(vectors(out)) == {(MAIN, urgent.image_id)}
        assert [(request.url, request.attempt) for request in again] == [(request.url, 0) for request in waiting]
    assert len(vectors(world.until_settled(*again))) == len(waiting)
    assert letters(out) == []


def test_backlog_of_a_second_extractor_is_bounded_and_all_of_it_is_answered(world: World) -> None:
    world.until_settled(second(world, "/ok/50"))
    most = BACKLOG_BATCHES * BATCH
    requests = [second(world, f"/ok/5{n:02}") for n in range(most + 2 * BATCH)]
    again = []
    with frozen(world.stage._extractions.pids[SECOND.extractor_id]):
        for start in range(0, len(requests), BATCH):
            again += gone_round(world.process(*requests[start : start + BATCH]))
        assert world.metrics.gauges["images_under_way"] == most
    assert len(again) == len(requests)
    assert len(vectors(world.until_settled(*again))) == len(requests)
    assert {world.site.hits[f"/ok/5{n:02}"] for n in range(len(requests))} == {1}


def test_death_of_the_second_process_leaves_the_first_alone(world: World) -> None:
    world.until_settled(*both(world, "/ok/60"))
    pids = world.stage._extractions.pids
    os.kill(pids[SECOND.extractor_id], signal.SIGKILL)
    assert len(vectors(world.until_settled(*both(world, "/ok/61"), *both(world, "/ok/62")))) == 4
    assert world.stage._extractions.pids[MAIN] == pids[MAIN]
    assert world.stage._extractions.pids[SECOND.extractor_id] != pids[SECOND.extractor_id]


def test_stage_opened_anew_knows_the_features_of_both(world: World) -> None:
    """The last one: the others' stage has both networks, this one need not load either to answer."""
    requests = both(world, "/ok/3")
    first = vectors(world.until_settled(*requests))
    world.stage.close()
    hits = world.site.hits["/ok/3"]
    metrics = CountingMetrics()
    world.stage = ExtractionStage(world.config)
    world.stage.open(metrics)
    assert vectors(world.process(*requests)) == first
    assert metrics.counts["known"] == 2
    assert world.site.hits["/ok/3"] == hits == 2
    assert set(world.stage._extractions.pids) == {MAIN}
