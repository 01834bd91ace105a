"""The system is stopped, its stores are lost, it goes on: they come back, and nothing is extracted again."""

from __future__ import annotations

import shutil

import psutil
import pytest

from cli.main import main
from cli.runtime.environment import settings_environment
from jobs.full_index.truth.live_log import wait_for_extraction
from messaging.admin import describe
from messaging.ranges import read_range
from schemas.features.record import decode_feature
from schemas.topics import EXTRACT_REQUESTS, IMAGE_FEATURES
from tests.rebuilt import stream_equals_batch
from tests.support.whole.pictures import write_pictures
from tests.support.whole.talking import added, flink_counter
from tests.system import System

pytestmark = [pytest.mark.e2e, pytest.mark.drill]


def ends(system: System, topic: str) -> int:
    return sum(describe(system.bootstrap, [topic])[topic].ends)


def extracted_at_ms(system: System) -> dict[bytes, int]:
    """When each image's feature was extracted, by image and extractor, as the topic has them."""
    found = {}
    for partition in range(system.settings.feature_partitions):
        for message in read_range(system.kafka, IMAGE_FEATURES, partition, 0, compacted=True):
            if message.value is None:
                found.pop(message.key or b"", None)
            else:
                found[message.key or b""] = decode_feature(message.value).extracted_at_ms
    return found


def family(system: System) -> list[psutil.Process]:
    """All processes of the running system, with their children."""
    processes = [psutil.Process(pid) for pid in system.runtime.running().values()]
    return [member for process in processes for member in (process, *process.children(recursive=True))]


def alive(process: psutil.Process) -> bool:
    try:
        return process.is_running() and process.status() != psutil.STATUS_ZOMBIE
    except psutil.NoSuchProcess:
        return False


def test_stop_leaves_no_process_and_lost_stores_are_rebuilt_without_extracting_again(
    system: System, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    urls = write_pictures(system.home / "lost", range(7000, 7010))
    system.produce(*[added(f"lost-{n}", url, price=n) for n, url in enumerate(urls)])
    system.wait_searchable([f"lost-{n}" for n in range(10)])
    system.wait_settled(pending=10)
    # Else another test's images may be under way, and be extracted for the first time after the start.
    assert wait_for_extraction(system.settings.kafka, 180)
    before, extracted = system.digests(), extracted_at_ms(system)
    parts, processes = set(system.runtime.running()), family(system)

    try:
        system.stop()
        assert system.runtime.running() == {}
        assert [process for process in processes if alive(process)] == []
        shutil.rmtree(system.settings.layout.catalogue_store)
        shutil.rmtree(system.settings.layout.feature_store)
        system.runtime.start_kafka()
        requested = ends(system, EXTRACT_REQUESTS)
        for name, value in settings_environment(system.settings).items():
            monkeypatch.setenv(name, value)
        assert main(["rebuild"]) == 0
        known, records = capsys.readouterr().out.split(" products written, of ")
        assert int(known.split()[-1]) >= 10
        assert int(records.split()[0]) >= 10
    finally:
        system.start()
    assert set(system.runtime.running()) == parts
    assert system.digests() == before
    system.produce({"type": "product_updated", "product_id": "lost-3", "product": {"price": 99}})
    system.wait_settled(pending=10)
    assert all(replica.price == 99 for replica in system.product("lost-3").replicas)
    assert system.digests() != before
    stream_equals_batch(system)
    # The log was not read again: the products come from catalogue-records, which has those that it has forgotten too.
    assert 1 <= flink_counter(system, "events_applied") < 10
    assert extracted_at_ms(system).items() >= extracted.items()
    assert len(extracted) >= 10
    assert ends(system, EXTRACT_REQUESTS) - requested <= 100
