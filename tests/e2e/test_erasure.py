"""An erased product on the whole system: no byte of it is left where Vitrine keeps it, and the receipt says so.

Its features go with the nightly replay, which also tries again what failed in passing: `test_replay.py` has the rest
of what a replay does.
"""

from __future__ import annotations

import contextlib
from dataclasses import dataclass
from pathlib import Path

import msgspec
import pytest

from cli.main import main
from cli.runtime.environment import child_environment
from feature_store.open import feature_store
from messaging.producer import EventProducer
from schemas.events.dead_letter import encode_dead_letter
from schemas.features.record import FeatureRecord
from schemas.ids import ImageKey, image_key
from schemas.topics import DEAD_LETTERS
from tests.e2e.test_replay import replayed, settled_digests
from tests.support.whole.damage import letters_about
from tests.support.whole.pictures import picture, write_pictures
from tests.support.whole.talking import added, found
from tests.system import System, eventually
from vision.extractor import extractor_id

pytestmark = [pytest.mark.e2e, pytest.mark.drill]

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


@dataclass(frozen=True)
class Pictured:
    """URLs of the picture that the erased product had alone and of one that another has too, and their features."""

    own: str
    shared: str
    own_feature: FeatureRecord
    shared_feature: FeatureRecord


@pytest.fixture(scope="module")
def pictured(system: System) -> Pictured:
    own, shared = write_pictures(system.home / f"{MARKER}-pictures", range(7100, 7102))
    system.produce(added("erase-1", own, shared, title=f"{MARKER} title", brand=f"{MARKER} brand"))
    system.produce(added("erase-2", shared, title="kept"))
    system.wait_searchable(["erase-1", "erase-2"])
    first, second = features(system, own, shared)
    assert first is not None and second is not None
    return Pictured(own, shared, first, second)


def test_erased_product_is_gone_from_answers_and_disk(
    system: System, pictured: Pictured, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    for name, value in child_environment(system.settings).items():
        if name.startswith("VITRINE_"):
            monkeypatch.setenv(name, value)
    places = [system.home / "shards", system.home / "stores" / "catalogue"]
    eventually(lambda: all(holding(place, MARKER.encode()) for place in places), "it is on the disk")

    system.produce({"type": "product_erased", "product_id": "erase-1"})
    system.wait_settled()
    assert "erase-1" not in found(system, picture(7100))
    eventually(lambda: not holding(places[0], b"MARKER7b41e0 title"), "no snapshot holds its texts", poll_s=0.5)
    vector = pictured.own_feature.vector
    eventually(lambda: not holding(places[0], vector), "no snapshot holds its vector", poll_s=0.5)
    assert not any(holding(place, b"MARKER7b41e0 title") for place in places)
    assert not any(holding(place, b"MARKER7b41e0 brand") for place in places)
    assert main(["erased", "erase-1"]) == 0, capsys.readouterr().out
    assert found(system, picture(7101))[0] == "erase-2"


def test_replay_erases_the_features_and_extracts_what_failed_in_passing_and_changes_nothing_else(
    system: System, pictured: Pictured
) -> None:
    file = system.home / "erasure-late" / "late.jpg"
    file.parent.mkdir()
    system.produce(added("erase-late", file.as_uri()))
    (letter,) = eventually(lambda: letters_about(system, file.as_uri()), "the absent picture is a dead letter")
    file.write_bytes(picture(9200))
    before = settled_digests(system)
    with EventProducer(system.bootstrap) as producer:
        producer.send(DEAD_LETTERS, None, encode_dead_letter(msgspec.structs.replace(letter, transient=True)))
    report = replayed(system)
    assert report.features.erased == 1, report
    assert (report.features.retried, report.features.recovered) >= (1, 1), report.features
    assert report.settled
    assert report.healed_rows == 0
    assert {shard.verdict for shard in report.shards} == {"equal"}
    assert [shard.truth for shard in report.shards] == before
    system.wait_searchable(["erase-late"])

    eventually(lambda: features(system, pictured.own) == [None], "the feature that it alone had is gone", poll_s=0.5)
    vector = pictured.own_feature.vector
    eventually(lambda: not holding(system.settings.layout.feature_store, vector), "with its bytes", poll_s=0.5)
    assert features(system, pictured.shared) == [pictured.shared_feature]
