"""`vitrine erased`: what it says of stores, snapshots and full indexes as they lie on the disk."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from cli.main import OPERATOR, main
from indexing.shard.shard import Shard
from indexing.snapshot.snapshot import save, write_files
from jobs.pipeline.catalogue.config import CatalogueConfig
from jobs.pipeline.catalogue.stage import CatalogueStage
from jobs.pipeline.stage import Record
from schemas.ids import image_id, kafka_partition, sequence
from schemas.settings import Settings
from tests.support.metrics import CountingMetrics
from tests.support.serving.world import DIMENSION, EXTRACTOR, batch, direction, listed

ADDED = {"type": "product_added", "product_id": "p1", "product": {"title": "Mug"}}
ERASED = {"type": "product_erased", "product_id": "p1"}


@pytest.fixture
def settings(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Settings:
    monkeypatch.setenv("VITRINE_HOME", str(tmp_path))
    return Settings(home=str(tmp_path))


def apply(settings: Settings, *events: dict[str, object]) -> None:
    stage = CatalogueStage(CatalogueConfig.from_settings(settings, [EXTRACTOR]))
    stage.open(CountingMetrics())
    partition = kafka_partition(b"p1", settings.event_partitions)
    stage.process([Record(None, json.dumps(e).encode(), partition, offset, 0) for offset, e in enumerate(events)])
    stage.close()


def test_receipt_names_every_place_and_what_is_left_there(
    settings: Settings, capsys: pytest.CaptureFixture[str]
) -> None:
    apply(settings, ADDED, ERASED)
    shard = Shard(EXTRACTOR, DIMENSION)
    shard.apply(listed(batch(), "p1", [direction(1)]))
    save(shard, settings.layout.shard_folder(0, 0) / "snapshot", {0: 1})
    aside = settings.layout.shard_folder(0, 1) / "snapshot.corrupt-x"
    write_files(shard.contents(), aside / "old", {0: 1})
    assert main(["erased", "p1"]) == 1
    said = capsys.readouterr().out
    assert "gone, by the event at offset 1" in said
    assert said.count("1 rows are left") == 2
    assert f"remove {aside}" in said

    erasure = batch()
    number = sequence(1, 9)
    image = image_id("p1", "https://shop.example/p1/0.jpg")
    erasure.add(image, "p1", state_seq=number, image_seq=number, erased_seq=number)
    shard.apply(erasure)
    save(shard, settings.layout.shard_folder(0, 0) / "snapshot", {0: 2})
    (aside / "old" / "rows.bin").unlink()
    assert main(["erased", "p1"]) == 0
    said = capsys.readouterr().out
    assert "rows are left" not in said
    for place in ("snapshot 0-0/live", "product-events", "index-deltas", "dead-letters", "image-features"):
        assert place in said


def test_product_that_was_added_anew_is_not_gone(settings: Settings, capsys: pytest.CaptureFixture[str]) -> None:
    apply(settings, ADDED, ERASED, ADDED)
    assert main(["erased", "p1"]) == 1
    assert "added anew since" in capsys.readouterr().out


@pytest.mark.parametrize("events", [[], [ADDED]])
def test_product_that_was_not_erased_has_no_receipt(
    settings: Settings, events: list[dict[str, object]], capsys: pytest.CaptureFixture[str]
) -> None:
    apply(settings, *events)
    assert main(["erased", "p1"]) == OPERATOR
    assert "'p1'" in capsys.readouterr().err
