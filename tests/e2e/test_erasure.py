"""An erased product on the whole system: no byte of it is left where Vitrine keeps it, and the receipt says so."""

from __future__ import annotations

import contextlib
from pathlib import Path

import pytest

from cli.main import main
from cli.runtime.environment import child_environment
from feature_store.open import feature_store
from schemas.features.record import FeatureRecord
from schemas.ids import ImageKey, image_key
from tests.e2e.pictures import picture, write_pictures
from tests.e2e.test_life_of_a_product import added, found
from tests.e2e.test_replay import replayed
from tests.system import System, eventually
from vision.extractor import extractor_id

pytestmark = pytest.mark.e2e

MARKER = "MARKER7b41e0"


def features(system: System, *urls: str) -> list[FeatureRecord | None]:
    settings = system.settings
    reader = feature_store(settings.layout.feature_store, settings.feature_partitions).reader()
    try:
        keys: list[ImageKey] = [image_key(url) for url in urls]
        return reader.get_many(keys, extractor_id(settings.encoder, settings.weights))
    finally:
        reader.close()


def holding(folder: Path, marker: bytes) -> list[Path]:
    """Files with these bytes in them. Where one goes or gets another name meanwhile, all are looked at again."""
    while True:
        with contextlib.suppress(FileNotFoundError):
            return [file for file in folder.rglob("*") if file.is_file() and marker in file.read_bytes()]


def test_erased_product_is_gone_from_answers_disk_and_at_last_from_the_features(
    system: System, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    for name, value in child_environment(system.settings).items():
        if name.startswith("VITRINE_"):
            monkeypatch.setenv(name, value)
    own, shared = write_pictures(system.home / f"{MARKER}-pictures", range(7100, 7102))
    system.produce(added("erase-1", own, shared, title=f"{MARKER} title", brand=f"{MARKER} brand"))
    system.produce(added("erase-2", shared, title="kept"))
    system.wait_searchable(["erase-1", "erase-2"])
    first, second = features(system, own, shared)
    assert first is not None and second is not None
    places = [system.home / "shards", system.home / "stores" / "catalogue"]
    eventually(lambda: all(holding(place, MARKER.encode()) for place in places), "it is on the disk")

    system.produce({"type": "product_erased", "product_id": "erase-1"})
    system.wait_settled()
    assert "erase-1" not in found(system, picture(7100))
    eventually(lambda: not holding(places[0], b"MARKER7b41e0 title"), "no snapshot holds its texts", poll_s=0.5)
    eventually(lambda: not holding(places[0], first.vector), "no snapshot holds its vector", poll_s=0.5)
    assert not any(holding(place, b"MARKER7b41e0 title") for place in places)
    assert not any(holding(place, b"MARKER7b41e0 brand") for place in places)
    assert main(["erased", "erase-1"]) == 0, capsys.readouterr().out
    assert found(system, picture(7101))[0] == "erase-2"

    report = replayed(system)
    assert report.features.erased == 1, report
    eventually(lambda: features(system, own) == [None], "the feature that it alone had is gone", poll_s=0.5)
    eventually(lambda: not holding(system.settings.layout.feature_store, first.vector), "with its bytes", poll_s=0.5)
    assert features(system, shared) == [second]
