"""product-events gets more partitions than it had: order, digests and positions stay what the log says."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import msgspec
import numpy as np
import pytest

from cli.main import main
from cli.runtime.environment import settings_environment
from cli.runtime.services import HEARTBEAT
from cli.runtime.system import System as Runtime
from messaging.admin import committed_offsets, describe
from schemas.ids import kafka_partition
from schemas.log_epoch import read_epoch
from schemas.topics import CATALOGUE_GROUP, CATALOGUE_RECORDS, IMAGE_FEATURES, PRODUCT_EVENTS
from tests.rebuilt import LogTruth
from tests.system import System, eventually

pytestmark = [pytest.mark.e2e, pytest.mark.drill]

EXTRACTOR = "external:shop:8"


def added(number: int) -> dict[str, Any]:
    vector = np.random.default_rng(number).standard_normal(8).round(4).tolist()
    image = {"url": f"https://shop.example/{number}.jpg", "vector": vector}
    return {"type": "product_added", "product_id": f"grown-{number}", "product": {"price": 1.0}, "images": [image]}


def priced(number: int, price: float) -> dict[str, Any]:
    return {"type": "product_updated", "product_id": f"grown-{number}", "product": {"price": price}}


def removed(number: int) -> dict[str, Any]:
    return {"type": "product_removed", "product_id": f"grown-{number}"}


@pytest.fixture(scope="module")
def growing(tmp_path_factory: pytest.TempPathFactory) -> Iterator[System]:
    system = System(tmp_path_factory.mktemp("growing"), encoder=EXTRACTOR, parallelism=2)
    try:
        system.start()
        yield system
    finally:
        system.stop()


def all_read(system: System) -> bool:
    ends = describe(system.kafka, [PRODUCT_EVENTS])[PRODUCT_EVENTS].ends
    return committed_offsets(system.kafka, CATALOGUE_GROUP, PRODUCT_EVENTS, len(ends)) == ends


def equals(system: System, truth: LogTruth) -> None:
    def equal() -> bool:
        truth.read()
        return [digest for _, digest in sorted(system.digests().items())] == truth.digests()

    eventually(equal, "the shards are what the log says", poll_s=0.5)


@pytest.mark.timeout(900)
def test_partitions_grow_and_no_event_is_lost_or_overtaken(
    growing: System, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    before = growing.settings
    truth = LogTruth(before, EXTRACTOR)
    growing.produce(*map(added, range(40)), *(priced(n, 2.0) for n in range(20)), removed(3), removed(4))
    growing.wait_settled()
    equals(growing, truth)

    after = msgspec.structs.replace(before, event_partitions=8, feature_partitions=4)
    for name, value in settings_environment(after).items():
        monkeypatch.setenv(name, value)
    growing.end(HEARTBEAT)
    eventually(lambda: all_read(growing), "the job has read and committed everything")
    growing.stop()
    growing.settings = before
    growing.runtime.start_kafka()
    try:
        assert main(["repartition"]) == 0
        assert "product-events: 8 partitions" in capsys.readouterr().out
        assert main(["repartition"]) == 0
        assert "every topic has" in capsys.readouterr().out
        layout = before.layout
        layout.catalogue_store.parent.rename(layout.home / "stores-of-before")
        assert main(["rebuild"]) == 0
        assert "40 products written" in capsys.readouterr().out
    finally:
        growing.settings = after
        growing.runtime = Runtime(after)
        growing.start()

    found = describe(growing.kafka, [PRODUCT_EVENTS, CATALOGUE_RECORDS, IMAGE_FEATURES])
    assert {name: len(topic.ends) for name, topic in found.items()} == {
        PRODUCT_EVENTS: 8,
        CATALOGUE_RECORDS: 8,
        IMAGE_FEATURES: 4,
    }
    noted = read_epoch(after.layout.log_epoch)
    assert noted is not None
    assert noted.epoch == 1
    truth.log_was_made_anew(after)
    moved = [
        n for n in range(40) if kafka_partition(f"grown-{n}".encode(), 8) != kafka_partition(f"grown-{n}".encode(), 2)
    ]
    assert len(moved) > 20
    growing.produce(
        *(priced(n, 5.0) for n in range(40)), added(3), removed(5), removed(moved[-1]), *map(added, range(40, 50))
    )
    growing.wait_settled()
    equals(growing, truth)
    assert all(replica.price == 5.0 for replica in growing.product("grown-30").replicas)
    assert not any(growing.searchable_images(f"grown-{moved[-1]}"))
    assert main(["replay", "--check"]) == 0
