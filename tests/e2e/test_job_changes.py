"""The streaming job is followed by one of other code, and by one over more partitions: nothing is lost or overtaken."""

from __future__ import annotations

import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import msgspec
import numpy as np
import pytest

from cli.main import main
from cli.runtime.environment import child_environment, settings_environment
from cli.runtime.programs import REPOSITORY, jar_folder
from cli.runtime.services import HEARTBEAT
from cli.runtime.system import System as Runtime
from messaging.admin import committed_offsets, describe
from messaging.ranges import read_all
from schemas.events.dead_letter import decode_dead_letter
from schemas.ids import kafka_partition
from schemas.log_epoch import read_epoch
from schemas.topics import CATALOGUE_GROUP, CATALOGUE_RECORDS, DEAD_LETTERS, IMAGE_FEATURES, PRODUCT_EVENTS
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
    folder = tmp_path_factory.mktemp("growing")
    system = System(folder, encoder=EXTRACTOR, parallelism=2, event_partitions=4, feature_partitions=4)
    try:
        system.start()
        yield system
    finally:
        system.stop()


def another_version(folder: Path) -> Path:
    """A checkout whose catalogue stage calls itself otherwise, so that its dead letters tell who made them."""
    packages = [path.parent for path in REPOSITORY.glob("*/__init__.py") if path.parent.name != "tests"]
    for package in packages:
        shutil.copytree(package, folder / package.name, ignore=shutil.ignore_patterns("__pycache__"))
    stage = folder / "jobs" / "pipeline" / "catalogue" / "stage.py"
    text = stage.read_text()
    assert 'STAGE = "catalogue"\n' in text
    stage.write_text(text.replace('STAGE = "catalogue"\n', 'STAGE = "catalogue of the next version"\n'))
    return folder


def stages_of_letters(system: System) -> list[str]:
    letters = read_all(system.kafka, DEAD_LETTERS, 0)
    return [decode_dead_letter(letter.value or b"").stage for letter in letters]


def test_new_code_goes_on_where_the_old_was_ended_amid_events(growing: System, tmp_path: Path) -> None:
    """No savepoint: same groups, same stores. The old job is ended with events in its hands."""
    truth = LogTruth(growing.settings, EXTRACTOR)
    growing.produce(b"poison", key=b"1")
    eventually(lambda: stages_of_letters(growing) == ["catalogue"], "the old code has said what it is")
    growing.produce(*map(added, range(100, 160)), *(priced(n, 2.0) for n in range(100, 130)), removed(101))
    growing.stop()
    code = another_version(tmp_path / "code")
    environment = {**child_environment(growing.settings), "PYTHONPATH": str(code), "VITRINE_JARS": str(jar_folder())}
    started = subprocess.run(
        [sys.executable, "-m", "cli.main", "start"], env=environment, cwd=code, capture_output=True, text=True,
        timeout=400, check=False,
    )  # fmt: skip
    assert started.returncode == 0, started.stderr
    growing.produce(*(priced(n, 3.0) for n in range(120, 140)), added(101), removed(102))
    growing.produce(b"poison", key=b"2")
    growing.wait_settled()
    equals(growing, truth)
    first, *others = stages_of_letters(growing)
    # The first one's event may come again, since letters are sent at least once: its position need not be committed.
    assert (first, set(others)) == ("catalogue", {"catalogue of the next version"})
    assert all(replica.price == 3.0 for replica in growing.product("grown-125").replicas)


def all_read(system: System) -> bool:
    ends = describe(system.kafka, [PRODUCT_EVENTS])[PRODUCT_EVENTS].ends
    return committed_offsets(system.kafka, CATALOGUE_GROUP, PRODUCT_EVENTS, len(ends)) == ends


def equals(system: System, truth: LogTruth) -> None:
    def equal() -> bool:
        truth.read()
        return [digest for _, digest in sorted(system.digests().items())] == truth.digests()

    eventually(equal, "the shards are what the log says", poll_s=0.5)


@pytest.mark.timeout(1500)
def test_partitions_grow_and_no_event_is_lost_or_overtaken(
    growing: System, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    before = growing.settings
    truth = LogTruth(before, EXTRACTOR)
    growing.produce(*map(added, range(40)), *(priced(n, 2.0) for n in range(20)), removed(3), removed(4))
    growing.wait_settled()
    equals(growing, truth)

    after = msgspec.structs.replace(before, event_partitions=16, feature_partitions=16)
    for name, value in settings_environment(after).items():
        monkeypatch.setenv(name, value)
    assert main(["repartition"]) == 2
    assert "the streaming job runs" in capsys.readouterr().err
    growing.end(HEARTBEAT)
    eventually(lambda: all_read(growing), "the job has read and committed everything")
    growing.stop()
    growing.settings = before
    growing.runtime.start_kafka()
    try:
        assert main(["repartition"]) == 0
        assert "product-events: 16 partitions" in capsys.readouterr().out
        assert main(["repartition"]) == 0
        assert "every topic has" in capsys.readouterr().out
        layout = before.layout
        layout.catalogue_store.parent.rename(layout.home / "stores-of-before")
        assert main(["rebuild"]) == 0
        assert " products written, of " in capsys.readouterr().out
    finally:
        growing.settings = after
        growing.runtime = Runtime(after)
        growing.start()

    found = describe(growing.kafka, [PRODUCT_EVENTS, CATALOGUE_RECORDS, IMAGE_FEATURES])
    assert {name: len(topic.ends) for name, topic in found.items()} == {
        PRODUCT_EVENTS: 16,
        CATALOGUE_RECORDS: 16,
        IMAGE_FEATURES: 16,
    }
    noted = read_epoch(after.layout.log_epoch)
    assert noted is not None
    assert noted.epoch == 1
    truth.log_was_made_anew(after)
    moved = [
        n for n in range(40) if kafka_partition(f"grown-{n}".encode(), 16) != kafka_partition(f"grown-{n}".encode(), 4)
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
