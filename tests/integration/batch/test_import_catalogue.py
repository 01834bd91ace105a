"""On a real Kafka: an imported catalogue and the documented producers put every event where its key belongs."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path

import msgspec
import pytest

from cli.importers import import_catalogue
from messaging.consumer import Message
from messaging.ranges import read_all
from sample import make_sample
from schemas.errors import OperatorError
from schemas.events.event import ProductAdded, ProductRemoved, ProductUpdated, decode_event
from schemas.ids import kafka_partition
from schemas.settings import Settings, load_settings
from schemas.topics import PRODUCT_EVENTS

pytestmark = pytest.mark.integration

DOCUMENT = Path(__file__).parents[3] / "docs" / "events.md"
PARTITIONS = 2


@pytest.fixture
def settings(kafka_broker: str, tmp_path: Path) -> Settings:
    return load_settings({}, home=str(tmp_path / "home"), kafka_bootstrap=kafka_broker, event_partitions=PARTITIONS)


def _written(settings: Settings, product_ids: set[str]) -> list[tuple[int, Message]]:
    """The records with these keys, and the partition that each lies in."""
    return [
        (partition, message)
        for partition in range(PARTITIONS)
        for message in read_all(settings.bootstrap, PRODUCT_EVENTS, partition)
        if message.key is not None and message.key.decode() in product_ids
    ]


def test_an_imported_catalogue_lies_in_the_log_whole_and_well_placed(settings: Settings) -> None:
    sample = make_sample(settings.layout.sample, products=20, images=30)
    with sample.products_file.open("a") as file:
        file.write('{"product_id": "bad", "price": "free", "images": ["x.jpg"]}\n')
    report = import_catalogue(settings, sample.folder, progress=False)
    assert (report.produced, report.images, report.reasons) == (20, 30, {"price": 1})
    assert report.refused_file is not None
    assert report.refused_file.is_relative_to(settings.layout.imports)
    assert settings.layout.allowed_folders.read_text() == f"{sample.folder.resolve()}\n"
    found = _written(settings, {f"sample-{number:05d}" for number in range(20)})
    assert len(found) == 20
    for partition, message in found:
        event = decode_event(message.value)
        assert isinstance(event, ProductAdded)
        assert message.key == event.product_id.encode()
        assert partition == kafka_partition(message.key, PARTITIONS)
    assert {partition for partition, _ in found} == set(range(PARTITIONS))


def test_kafka_that_does_not_answer_is_an_operators_error(settings: Settings, monkeypatch: pytest.MonkeyPatch) -> None:
    settings.layout.home.mkdir()
    shop = settings.layout.home / "shop.csv"
    shop.write_text("id,image\n1,https://c.example/1.jpg\n")
    monkeypatch.setattr("cli.importers.importing.FLUSH_TIMEOUT_S", 1.0)
    nobody = msgspec.structs.replace(settings, kafka_bootstrap="127.0.0.1:9")
    with pytest.raises(OperatorError, match="vitrine status"):
        import_catalogue(nobody, shop, progress=False)


@pytest.mark.parametrize(
    ("client", "kind"), [("from kafka import", ProductUpdated), ("from confluent_kafka import", ProductRemoved)]
)
def test_the_documented_producers_work_and_place_keys_as_kafka_does(
    settings: Settings, client: str, kind: type[object]
) -> None:
    blocks = re.findall(r"```python\n(.*?)```", DOCUMENT.read_text(), re.DOTALL)
    (program,) = [block for block in blocks if client in block]
    ids = {f"documented-{kind.__name__}-{number}" for number in range(8)}
    for product_id in sorted(ids):
        text = program.replace("127.0.0.1:9092", settings.bootstrap).replace('"p1"', f'"{product_id}"')
        subprocess.run([sys.executable, "-c", text], check=True, timeout=300)
    found = _written(settings, ids)
    assert {message.key.decode() for _, message in found if message.key is not None} == ids
    for partition, message in found:
        assert isinstance(decode_event(message.value), kind)
        assert partition == kafka_partition(message.key or b"", PARTITIONS)
