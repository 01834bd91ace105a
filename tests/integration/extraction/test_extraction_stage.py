"""The extraction stage with its real child process, a real network, a real web server and a real store."""

from __future__ import annotations

import os
import signal
import threading
import time
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import msgspec
import numpy as np
import pytest

from benchmarks.load.image_hosts import ImageHosts, silence
from feature_store.open import feature_store
from jobs.pipeline.extraction.fetch_queue import MOST
from jobs.pipeline.extraction.rooms import Standing
from jobs.pipeline.extraction.stage import ExtractionStage
from jobs.pipeline.stage import Record
from objects.place import Objects
from schemas.access.objects import ObjectPlace
from schemas.events.dead_letter import decode_dead_letter
from schemas.events.extract_request import ExtractRequest, decode_request, decode_requests, encode_request
from schemas.features.record import decode_feature, refusals_of
from schemas.ids import ImageKey, feature_partition, image_id, image_key
from schemas.topics import EXTRACT_REQUESTS, IMAGE_FEATURES
from tests.support.metrics import CountingMetrics
from tests.support.objects.server import ObjectStore
from tests.support.stages.extraction import World, letters, picture, refusals, vectors


@pytest.fixture(scope="module")
def world(object_store: ObjectStore, tmp_path_factory: pytest.TempPathFactory) -> Iterator[World]:
    """Its child process fetches from the object store as well."""
    world = World(tmp_path_factory.mktemp("extraction"))
    yield world
    world.stage.close()
    world.site.server.shutdown()


def test_new_image_becomes_a_feature_record_and_a_vector_delta(world: World) -> None:
    request = world.request("/ok/1")
    out = world.until_settled(request)
    vector = vectors(out)[bytes.fromhex(request.image_id)]
    assert abs(float(np.linalg.norm(np.frombuffer(vector, "<f4"))) - 1) < 1e-4
    (record,) = [decode_feature(r.value) for r in out if r.topic == IMAGE_FEATURES]
    assert (record.vector, record.url) == (vector, request.url)
    assert record.cnn_ms > 0


def test_doubled_request_is_answered_from_the_store_without_a_fetch(world: World) -> None:
    request = world.request("/ok/2")
    first = world.until_settled(request)
    again = world.until_settled(request, request)
    assert vectors(again) == vectors(first)
    assert world.site.hits["/ok/2"] == 1


def test_image_in_an_object_store_is_extracted_and_one_that_may_not_be_read_is_a_dead_letter(
    world: World, object_store: ObjectStore
) -> None:
    Objects(ObjectPlace(object_store.bucket("shop"))).write("a.jpg", picture(77))
    good, closed = world.request("s3://shop/a.jpg"), world.request("s3://others/a.jpg")
    out = world.until_settled(good, closed, world.request("s3://shop/missing.jpg"))
    assert sorted(letter.reason for letter in letters(out)) == ["bucket_not_allowed", "image_missing"]
    assert set(vectors(out)) == {bytes.fromhex(good.image_id)}
    assert bytes.fromhex(closed.image_id) in refusals(out)


def test_erased_feature_is_deleted_whatever_its_extractor_and_extracted_anew_when_asked_for(world: World) -> None:
    request = world.request("/ok/erased")
    first = vectors(world.until_settled(request))
    erasure = msgspec.structs.replace(request, url="erased:", erase=True)
    assert world.process(erasure, msgspec.structs.replace(erasure, extractor_id="former-0-p1-4")) == []
    assert world.metrics.counts["features_erased"] == 1
    assert vectors(world.until_settled(request)) == first
    assert world.site.hits["/ok/erased"] == 2


def test_one_image_of_two_products_is_fetched_once_and_answered_twice(world: World) -> None:
    requests = [world.request("/ok/3", "p1"), world.request("/ok/3", "p2")]
    assert len(vectors(world.until_settled(*requests))) == 2
    assert world.site.hits["/ok/3"] == 1


def test_equal_bytes_under_other_urls_are_extracted_once(world: World) -> None:
    before = world.metrics.counts["extracted"]
    together = world.until_settled(world.request("/same/1"), world.request("/same/2"))
    later = world.until_settled(world.request("/same/3"))
    assert len(set(vectors(together).values()) | set(vectors(later).values())) == 1
    assert len(vectors(together)) == 2
    assert world.metrics.counts["extracted"] - before == 1


@pytest.mark.parametrize(
    ("path", "reason"),
    [
        ("/broken", "image_format"),
        ("/bomb", "image_too_many_pixels"),
        ("/missing", "image_missing"),
        ("/inward", "address_not_allowed"),
    ],
)
def test_unusable_image_goes_to_the_dead_letters_at_once(world: World, path: str, reason: str) -> None:
    good = world.request("/ok/4")
    bad = world.request(path)
    out = world.until_settled(bad, good)
    (letter,) = letters(out)
    assert (letter.reason, letter.transient) == (reason, False)
    # On a loaded machine it may have gone round once before its host answered.
    assert msgspec.structs.replace(decode_request(letter.value_bytes()), not_before_ms=0) == bad
    assert bytes.fromhex(good.image_id) in vectors(out)
    # The index learns that it need not wait, and a build finds it in the store.
    assert refusals(out) == {bytes.fromhex(bad.image_id): bad.vector_seq}
    key = bytes.fromhex(bad.image_key)
    reader = feature_store(Path(world.config.store_folder), world.config.feature_partitions).reader()
    (stored,) = reader.get_many([ImageKey(key)], refusals_of(bad.extractor_id))
    reader.close()
    assert stored is not None
    assert stored.vector == b""


def test_failure_that_passes_is_tried_again(world: World) -> None:
    request = world.request("/flaky/5")
    again = request
    for _ in range(100):
        (again,) = [decode_request(r.value) for r in world.process(again) if r.topic == EXTRACT_REQUESTS]
        if again.attempt:
            break  # before, it went round because its host had not answered yet
    assert again.attempt == 1
    assert again.not_before_ms > 0
    assert len(vectors(world.until_settled(again))) == 1


def test_failure_that_stays_ends_in_the_dead_letters_as_transient(world: World) -> None:
    request = replace_url(world.request("/ok/6"), "http://127.0.0.1:1/never.jpg")
    (letter,) = letters(world.until_settled(request))
    assert (letter.reason, letter.transient) == ("connection_failed", True)
    assert "attempt 3" in letter.detail


def replace_url(request: ExtractRequest, url: str) -> ExtractRequest:
    return msgspec.structs.replace(request, url=url, image_key=image_key(url).hex())


def test_request_before_its_time_goes_round_untouched(world: World) -> None:
    later = msgspec.structs.replace(world.request("/ok/7"), not_before_ms=time.time_ns() // 1_000_000 + 60_000)
    out = world.process(later)
    assert [decode_request(r.value) for r in out] == [later]
    assert world.site.hits["/ok/7"] == 0


def test_slow_host_holds_up_only_its_own_images_and_is_asked_once(world: World) -> None:
    slow = world.request("/slow/8")
    out, (again,) = world.until_only({slow.url}, slow, world.request("/ok/8"), world.request("/ok/9"))
    assert len(vectors(out)) == 2
    assert (again.url, again.attempt) == (slow.url, 0)
    world.site.release.set()
    assert len(vectors(world.until_settled(again))) == 1
    assert world.site.hits["/slow/8"] == 1
    world.site.release.clear()


def test_image_that_turns_out_missing_late_is_refused_on_its_next_round(world: World) -> None:
    slow = world.request("/slow/missing")
    _, (again,) = world.until_only({slow.url}, slow, world.request("/ok/e1"))
    world.site.release.set()
    (letter,) = letters(world.until_settled(again))
    world.site.release.clear()
    assert (letter.reason, letter.transient) == ("image_missing", False)
    assert world.site.hits["/slow/missing"] == 1


def test_bytes_that_are_no_request_go_to_the_dead_letters_whole(world: World) -> None:
    (out,) = world.stage.process([Record(b"k", b"\xff{", 0, 77, 0)])
    letter = decode_dead_letter(out.value)
    assert (letter.reason, letter.topic, letter.offset) == ("invalid_request", EXTRACT_REQUESTS, 77)
    assert (letter.key_bytes(), letter.value_bytes()) == (b"k", b"\xff{")


def test_request_for_another_extractor_is_refused(world: World) -> None:
    other = msgspec.structs.replace(world.request("/ok/a"), extractor_id="other-0-p1-8")
    (letter,) = letters(world.process(other))
    assert letter.reason == "extractor_mismatch"
    assert "VITRINE_FURTHER_ENCODERS" in letter.detail


def test_killed_child_is_replaced_and_every_image_still_answered(world: World) -> None:
    requests = [world.request(f"/ok/b{n}") for n in range(6)]
    pid = world.stage._extractions.pids[world.config.main.extractor_id]
    killer = threading.Timer(0.05, os.kill, (pid, signal.SIGKILL))
    killer.start()
    out = world.until_settled(*requests)
    killer.join()
    assert len(vectors(out)) == 6
    assert letters(out) == []
    world.until_settled(world.request("/ok/c1"))
    assert world.stage._extractions.pids[world.config.main.extractor_id] != pid


def test_misrouted_request_is_sent_to_its_own_partition_once(tmp_path: Path, world: World) -> None:
    config = replace(world.config, feature_partitions=2, store_folder=str(tmp_path))
    stage = ExtractionStage(config)
    stage.open(CountingMetrics())
    request = world.request("/ok/d")
    wrong = 1 - feature_partition(bytes.fromhex(request.image_key), 2)
    (out,) = stage.process([Record(None, encode_request(request), wrong, 0, 0)])
    (back,) = stage.process([Record(out.key, out.value, wrong, 1, 0)])
    stage.close()
    assert decode_request(out.value) == request
    letter = decode_dead_letter(back.value)
    assert letter.reason == "wrong_partition"  # else it would go round for ever
    assert "feature_partitions" in letter.detail


def test_request_that_no_stage_made_holds_nobody_up(world: World) -> None:
    true = world.request("/ok/81")
    foreign = msgspec.structs.replace(world.request("/ok/82"), image_id=image_id("another", "u").hex())
    waiting = msgspec.structs.replace(world.request("/ok/83"), not_before_ms=2**52)
    huge = encode_request(world.request("/ok/84")).replace(b'"vector_seq":5', b'"vector_seq":' + b"9" * 40)
    now_ms = time.time_ns() // 1_000_000
    out = world.stage.process([Record(b"0", huge, 0, 0, now_ms), Record(None, None, 0, 1, now_ms)])
    assert [letter.reason for letter in letters(out)] == ["invalid_request"] * 2
    out = world.until_settled(true, foreign, waiting)
    assert [letter.reason for letter in letters(out)] == ["invalid_request"]
    assert set(vectors(out)) == {bytes.fromhex(true.image_id), bytes.fromhex(waiting.image_id)}


def test_more_of_a_silent_host_than_may_wait_is_put_off_without_an_attempt(world: World) -> None:
    hosts = ImageHosts()
    host = hosts.add(silence, "127.0.1.1")
    requests = [replace_url(world.request(f"/ok/{n}"), f"http://{host}/{n}") for n in range(40)]
    put_off = world.metrics.counts["put_off"]
    now_ms = time.time_ns() // 1_000_000
    waiting, later = requests, []
    for _ in range(100):
        again = [each for record in world.process(*waiting) for each in decode_requests(record.value)]
        later += [request for request in again if request.not_before_ms - now_ms >= 1000]
        waiting = [request for request in again if request.not_before_ms - now_ms < 1000]
        if len(later) >= 40 - 1 - MOST[Standing.UNPROVEN]:
            break
    hosts.close()
    assert world.metrics.counts["put_off"] - put_off >= 40 - 1 - MOST[Standing.UNPROVEN]
    assert {request.attempt for request in later} == {0}
