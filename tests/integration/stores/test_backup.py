"""A home is lost whole, and comes back from its backup: both stores, its notes, and the full index that served."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from itertools import count
from pathlib import Path

import msgspec
import numpy as np
import pytest

from cli.main import main
from feature_store.open import live_catalogue, live_features
from feature_store.products import ProductReader, ProductStore
from generations.folder import Generations
from schemas.events.record import ProductRecord
from schemas.features.record import FeatureRecord
from schemas.ids import ImageKey, image_key, kafka_partition
from schemas.log_epoch import LogEpoch, read_epoch
from schemas.settings import Settings
from tests.support.objects.server import ObjectStore
from tests.support.serving.generations import Searcher, products, published, running, settings_in, wait
from tests.support.serving.world import MemoryTopic

KEYS = [image_key(f"https://a.example/{number}.jpg") for number in range(20)]
RECORDS = [ProductRecord(f"r{number}", number + 1, True, None, {"price": number}, []) for number in range(20)]

_numbers = count()


@pytest.fixture(params=["folder", "object store"])
def place(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    if request.param == "folder":
        return str(tmp_path / "backups")
    store: ObjectStore = request.getfixturevalue("object_store")
    return f"s3://{store.bucket('backups')}/{next(_numbers)}"


@pytest.fixture
def settings(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Settings:
    """Of a home that the command line takes for its own, with something in both stores."""
    home = tmp_path / "home"
    values = {"event_partitions": 2, "feature_partitions": 2}
    monkeypatch.setenv("VITRINE_HOME", str(home))
    for name, value in {"shards": 2, **values}.items():
        monkeypatch.setenv(f"VITRINE_{name.upper()}", str(value))
    settings = settings_in(home, **values)
    catalogue = ProductStore(live_catalogue(settings))
    for record in RECORDS:
        catalogue.write(kafka_partition(record.product_id.encode(), 2), [record], record.sequence)
    catalogue.close()
    features = live_features(settings).writer()
    features.put_many(FeatureRecord(key, "x", np.eye(4, dtype="<f4")[0].tobytes(), key * 2, 1, 1.0) for key in KEYS)
    features.close()
    settings.layout.log_epoch.write_bytes(msgspec.json.encode(LogEpoch("the topic", 3)))
    return settings


def stored(settings: Settings) -> tuple[dict[str, ProductRecord], list[ImageKey]]:
    reader = ProductReader(live_catalogue(settings))
    found = {record.product_id: record for partition in range(2) for record in reader.scan(partition)}
    reader.close()
    features = live_features(settings).reader()
    known = [key for key, record in zip(KEYS, features.get_many(KEYS, "x"), strict=True) if record is not None]
    features.close()
    return found, known


@pytest.fixture
def topic() -> Iterator[MemoryTopic]:
    topic = MemoryTopic(2)
    topic.send(products())
    yield topic


def test_lost_home_comes_back_with_its_stores_its_epoch_and_what_served(
    settings: Settings, place: str, topic: MemoryTopic
) -> None:
    name = published(settings, topic)
    with running(Searcher(settings, topic)) as searcher:
        wait(lambda: searcher.ready() == [name])
        digest, shown = searcher.status()[name].digest, searcher.found()
    before = stored(settings)
    assert (len(before[0]), before[1]) == (20, KEYS)
    assert main(["backup", place]) == 0
    assert stored(settings) == before  # whose owner goes on
    shutil.rmtree(settings.home)

    assert main(["restore", place]) == 0
    assert stored(settings) == before
    assert read_epoch(settings.layout.log_epoch) == LogEpoch("the topic", 3)
    assert not settings.layout.catalogue_recorded.exists()  # a new Kafka is to be given every product
    generations = Generations(settings.layout.generations)
    assert generations.serving() == generations.verify(name)
    with running(Searcher(settings, MemoryTopic(2))) as searcher:  # index-deltas begins anew
        wait(lambda: searcher.ready() == [name])
        assert (searcher.status()[name].digest, searcher.found()) == (digest, shown)
    assert not [left for left in Path(settings.home, "backup").iterdir() if left.name[:1] == "."]


def test_home_that_is_not_empty_is_left_alone(
    settings: Settings, place: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["backup", place]) == 0
    before = stored(settings)
    assert main(["restore", place]) == 2
    assert "is not empty" in capsys.readouterr().err
    assert stored(settings) == before


def test_damaged_file_is_named_and_nothing_is_put_into_the_home(
    settings: Settings, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    place = tmp_path / "backups"
    assert main(["backup", str(place)]) == 0
    file = next(place.glob("b*/stores/catalogue/0000/**/*.sst"), None) or next(place.glob("b*/stores/**/*.log"))
    file.write_bytes(file.read_bytes()[:-1])
    shutil.rmtree(settings.home)
    assert main(["restore", str(place)]) == 1
    assert f"{file.name} does not match its checksum" in capsys.readouterr().err
    assert not settings.layout.catalogue_store.exists()
    assert not settings.layout.log_epoch.exists()


def test_partitions_that_are_not_those_of_the_backup_are_named(
    settings: Settings, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    place = str(tmp_path / "backups")
    assert main(["backup", place]) == 0
    shutil.rmtree(settings.home)
    monkeypatch.setenv("VITRINE_EVENT_PARTITIONS", "4")
    assert main(["restore", place]) == 2
    assert "VITRINE_EVENT_PARTITIONS=2" in capsys.readouterr().err


def test_place_without_backups_and_home_without_stores_say_so(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("VITRINE_HOME", str(tmp_path / "new"))
    assert main(["restore", str(tmp_path)]) == 2
    assert "vitrine backup PLACE makes one" in capsys.readouterr().err
    assert main(["restore", str(tmp_path), "--name", "../x"]) == 2
    assert "no backup's name" in capsys.readouterr().err
    assert main(["backup", str(tmp_path)]) == 2
    assert "has no stores to back up" in capsys.readouterr().err
