"""The stages and the batch jobs' copies on a store server: the same as in folders, also after the server was killed."""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from benchmarks.load.store_server import RunningServer
from feature_store.open import (
    catalogue_is_missing,
    catalogue_store,
    feature_store,
    live_catalogue,
    live_features,
    make_stores,
    restored_catalogue,
)
from feature_store.products import ProductReader
from feature_store.recorded import restore_catalogue
from jobs.full_index.truth.copies import copy_catalogue, copy_features
from jobs.pipeline.catalogue.config import CatalogueConfig
from jobs.pipeline.catalogue.stage import CatalogueStage
from jobs.pipeline.stage import Out, Record
from schemas.errors import OperatorError, TransientError
from schemas.events.record import ProductRecord, encode_record
from schemas.features.record import FeatureRecord
from schemas.ids import image_key, kafka_partition
from schemas.settings import Settings, load_settings
from schemas.topics import EXTRACT_REQUESTS
from tests.support.metrics import CountingMetrics

EXTRACTOR = "test-0-p1-8"


@pytest.fixture
def server(tmp_path: Path) -> Iterator[RunningServer]:
    server = RunningServer(tmp_path / "server")
    yield server
    server.stop()


@pytest.fixture
def on_server(server: RunningServer, tmp_path: Path) -> Settings:
    return load_settings({}, home=str(tmp_path / "home"), store=f"redis://127.0.0.1:{server.port}")


def opened(settings: Settings) -> CatalogueStage:
    stage = CatalogueStage(CatalogueConfig.from_settings(settings, [EXTRACTOR]))
    stage.open(CountingMetrics())
    return stage


def events(partitions: int, first: int, last: int) -> list[Record]:
    """Additions and later prices of products, each under its offset of its partition."""
    offsets = dict.fromkeys(range(partitions), first)
    records = []
    for number in range(first, last):
        product = f"p{number % 40}"
        event: dict[str, object] = {"type": "product_updated", "product_id": product, "product": {"price": number}}
        if number < 40:
            event = event | {"type": "product_added", "images": [{"url": f"https://h/{number}.jpg"}]}
        partition = kafka_partition(product.encode(), partitions)
        value = json.dumps(event).encode()
        records.append(Record(product.encode(), value, partition, offsets[partition], 1_700_000_000_000))
        offsets[partition] += 1
    return records


def know(settings: Settings, numbers: Sequence[int]) -> None:
    """Features of some pictures, as extraction leaves them."""
    writer = live_features(settings).writer()
    vector = (np.ones(8, dtype="<f4") / np.sqrt(8)).tobytes()
    urls = [f"https://h/{number}.jpg" for number in numbers]
    writer.put_many([FeatureRecord(image_key(url), EXTRACTOR, vector, b"c" * 32, 0, 12.0, url) for url in urls])
    writer.close()


def products_of(settings: Settings, folder: Path) -> list[ProductRecord]:
    reader = ProductReader(catalogue_store(folder, settings.event_partitions))
    try:
        return [record for partition in range(settings.event_partitions) for record in reader.scan(partition)]
    finally:
        reader.close()


def emitted(stage: CatalogueStage, records: list[Record]) -> list[Out]:
    return [out for start in range(0, len(records), 50) for out in stage.process(records[start : start + 50])]


def test_stage_and_copies_are_those_of_a_folder_also_after_the_server_was_killed(
    server: RunningServer, on_server: Settings, tmp_path: Path
) -> None:
    in_folder = load_settings({}, home=str(tmp_path / "local"))
    assert catalogue_is_missing(on_server)
    with pytest.raises(OperatorError, match="vitrine start, which makes it"):
        opened(on_server).process(events(4, 0, 10))
    make_stores(on_server)
    assert not catalogue_is_missing(on_server)
    for settings in (on_server, in_folder):
        know(settings, range(0, 40, 2))
    stages = [opened(on_server), opened(in_folder)]
    begin = events(4, 0, 200)
    out = [emitted(stage, begin) for stage in stages]
    assert out[0] == out[1]
    assert len([each for each in out[0] if each.topic == EXTRACT_REQUESTS]) == 20

    server.kill()
    with pytest.raises(TransientError, match="start it"):
        stages[0].process(begin[-10:])
    for stage in stages:
        stage.close()
    server.start()
    stages = [opened(on_server), opened(in_folder)]
    replayed = [emitted(stage, begin[100:] + events(4, 200, 260)) for stage in stages]
    assert replayed[0] == replayed[1] != []

    # Copies beside the running stages, as a build and a replay take them.
    for settings, name in ((on_server, "server"), (in_folder, "folder")):
        copy_catalogue(settings, tmp_path / name / "catalogue")
        copy_features(settings, tmp_path / name / "features")
    for stage in stages:
        stage.close()
    records = products_of(on_server, tmp_path / "server" / "catalogue")
    assert records == products_of(in_folder, tmp_path / "folder" / "catalogue")
    assert len(records) == 40
    features = [list(feature_store(tmp_path / name / "features", 4).reader().scan()) for name in ("server", "folder")]
    assert features[0] == features[1]
    assert len(features[0]) == 20


def test_store_on_a_server_is_made_of_its_records_whole_or_not_at_all(on_server: Settings) -> None:
    records = [ProductRecord(f"p{number}", number + 1, True, None, {}, []) for number in range(30)]
    found = [(record.product_id.encode(), encode_record(record)) for record in records]
    with pytest.raises(RuntimeError, match="killed"), restored_catalogue(on_server) as store:
        restore_catalogue(found[:10], store, on_server.event_partitions)
        raise RuntimeError("killed")
    assert catalogue_is_missing(on_server)
    with restored_catalogue(on_server) as store:
        restore_catalogue(found, store, on_server.event_partitions)
    assert not catalogue_is_missing(on_server)
    reader = ProductReader(live_catalogue(on_server))
    kept = [record for partition in range(on_server.event_partitions) for record in reader.scan(partition)]
    reader.close()
    assert sorted(kept, key=lambda record: record.sequence) == records


def test_another_number_of_partitions_is_refused_until_another_name_is_given(on_server: Settings) -> None:
    make_stores(on_server)
    other = load_settings({}, home=on_server.home, store=on_server.store, event_partitions=8)
    with pytest.raises(OperatorError, match=r"has 4 partitions, the settings say 8.*VITRINE_STORE_NAME"):
        make_stores(other)
    make_stores(load_settings({}, home=on_server.home, store=on_server.store, event_partitions=8, store_name="b"))


def test_a_server_with_a_password_is_opened_by_its_file_alone(tmp_path: Path) -> None:
    server = RunningServer(tmp_path / "server", "--requirepass", "S3CRET")
    try:
        (tmp_path / "pw").write_text("S3CRET\n")
        settings = load_settings(
            {},
            home=str(tmp_path / "home"),
            store=f"redis://127.0.0.1:{server.port}",
            store_password_file=str(tmp_path / "pw"),
        )
        make_stores(settings)
        assert not catalogue_is_missing(settings)
        (tmp_path / "pw").write_text("other\n")
        with pytest.raises(OperatorError, match="VITRINE_STORE_PASSWORD_FILE") as refused:
            catalogue_is_missing(settings)
        assert "other" not in str(refused.value)
        with pytest.raises(OperatorError, match="does not let us in"):
            catalogue_is_missing(load_settings({}, home=settings.home, store=settings.store))
        assert replace(server.access, password_file=str(tmp_path / "pw")) == settings.store_server
    finally:
        server.stop()


def test_a_server_that_is_away_or_full_of_other_policy_is_told_before_anything_starts(tmp_path: Path) -> None:
    server = RunningServer(tmp_path / "server", "--maxmemory", "100mb", "--maxmemory-policy", "allkeys-lru")
    settings = load_settings({}, home=str(tmp_path / "home"), store=f"redis://127.0.0.1:{server.port}")
    try:
        with pytest.raises(OperatorError, match="set maxmemory-policy to noeviction"):
            make_stores(settings)
    finally:
        server.stop()
    with pytest.raises(TransientError, match=rf"127\.0\.0\.1:{server.port}.*start it"):
        make_stores(settings)
