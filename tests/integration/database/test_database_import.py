"""On a real PostgreSQL: an import brings what change events bring, says what is wrong, and tells no password."""

from __future__ import annotations

import sys
from pathlib import Path

import msgspec
import pytest

from cli.importers import Refusal
from cli.importers.database.connection import connected
from cli.importers.database.reading import DatabaseReader
from cli.main import main
from jobs.pipeline.changes.stage import ChangesConfig, ChangesStage
from messaging.ranges import read_all
from schemas.database.mapping import DatabaseMapping, read_mapping
from schemas.errors import OperatorError
from schemas.events.event import ProductEvent, decode_event
from schemas.topics import PRODUCT_EVENTS
from tests.support.database.catalogue import MAPPING, applied, recorded, shown
from tests.support.database.server import NAME, PASSWORD, Postgres
from tests.support.metrics import CountingMetrics

pytestmark = pytest.mark.integration


def read(shop: Postgres, mapping: DatabaseMapping) -> list[ProductEvent | Refusal]:
    with connected(shop.url) as connection:
        reader = DatabaseReader(connection, mapping, "mapping.toml")
        reader.check_ids()
        found = list(reader.events())
        assert len(found) == reader.count()
    return found  # type: ignore[return-value]


def events(found: list[ProductEvent | Refusal]) -> list[ProductEvent]:
    assert not [each for each in found if isinstance(each, Refusal)]
    return found  # type: ignore[return-value]


def told() -> list[ProductEvent]:
    stage = ChangesStage(ChangesConfig("shop.changes", MAPPING))
    stage.open(CountingMetrics())
    return [decode_event(out.value) for out in stage.process(recorded("with"))]  # type: ignore[misc]


def test_an_import_and_the_change_events_come_to_the_same_products(shop: Postgres) -> None:
    imported = events(read(shop, read_mapping(MAPPING)))
    assert len(shown(applied(imported))) == 5
    assert shown(applied(imported)) == shown(applied(told()))


def test_an_import_after_the_change_events_or_another_import_changes_nothing(shop: Postgres) -> None:
    imported = events(read(shop, read_mapping(MAPPING)))
    before = applied(told())
    assert shown(applied(imported, before)) == shown(before)
    again = applied(imported, applied(imported))
    assert all(image.state_seq <= len(imported) for record in again.values() for image in record.images), (
        "no image moved"
    )


def test_a_row_that_cannot_be_used_is_refused_by_its_id_and_the_rest_goes_on(shop: Postgres) -> None:
    mapping = read_mapping(MAPPING)
    product = msgspec.structs.replace(
        mapping.product, attributes={**mapping.product.attributes, "praise": "price_cents"}
    )
    found = read(shop, msgspec.structs.replace(mapping, product=product))
    refused = {each.where.partition(", ")[2]: each.reason for each in found if isinstance(each, Refusal)}
    assert refused["sku 'A-1'"] == "invalid_event"
    assert len(refused) < len(found), "Z-END costs a cent, and 1 is a share"


@pytest.mark.parametrize(
    ("old", "new", "says"),
    [
        ('"name"', '"nmae"', r"product.attributes.title is 'nmae', and shop.products has sku, name, .*stock"),
        ('"etag"', '"tag"', r"images.version is 'tag', and shop.pictures has id, product, url, etag, place"),
        ('"shop.products"', '"shop.product"', r"no table shop.product; there are shop.pictures, shop.products"),
        ('id = "sku"', 'id = "status"', r"several rows with status = 'live'"),
        ('"product"', '"id"', r"PostgreSQL at 127.0.0.1:\d+/shop: operator does not exist"),
    ],
)
def test_a_mapping_that_does_not_fit_names_what_there_is(
    shop: Postgres, tmp_path: Path, old: str, new: str, says: str
) -> None:
    file = tmp_path / "mapping.toml"
    file.write_text(Path(MAPPING).read_text().replace(old, new))
    with pytest.raises(OperatorError, match=says):
        read(shop, read_mapping(str(file)))


def test_an_import_sees_one_moment_and_cannot_write(shop: Postgres) -> None:
    with connected(shop.url) as connection:
        reader = DatabaseReader(connection, read_mapping(MAPPING), "mapping.toml")
        count = reader.count()
        shop.execute("UPDATE shop.products SET name = 'Renamed meanwhile' WHERE sku = 'Z-END'")
        assert reader.count() == count
        (last,) = [event for event in reader.events() if not isinstance(event, Refusal) and event.product_id == "Z-END"]
        assert b"The last" in msgspec.json.encode(last)
    shop.execute("UPDATE shop.products SET name = 'The last' WHERE sku = 'Z-END'")
    with pytest.raises(OperatorError, match="read-only"), connected(shop.url) as connection:
        connection.execute("DELETE FROM shop.products")


@pytest.mark.parametrize(
    "url",
    [
        "postgresql://keeper:{wrong}@127.0.0.1:{port}/shop",
        "postgresql://keeper:{wrong}@127.0.0.1:1/shop",
        "postgresql://keeper:{wrong}/x@127.0.0.1:{port}/shop",
        "postgresql://keeper:x@{wrong}@127.0.0.1:{port}/shop",
        "postgresql://keeper:5/{wrong}@127.0.0.1:{port}/shop",
        "postgresql://keeper:%zz{wrong}@127.0.0.1:{port}/shop",
        "mysql://keeper:{wrong}@127.0.0.1/shop",
    ],
)
def test_no_error_tells_a_password(shop: Postgres, url: str) -> None:
    with pytest.raises(OperatorError) as refused, connected(url.format(wrong="hush-hush", port=shop.port)):
        raise AssertionError("it let us in")
    assert "hush" not in str(refused.value)
    assert refused.value.__cause__ is None or "hush" not in str(refused.value.__cause__)


def test_without_its_driver_an_import_says_what_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "psycopg", None)
    with (
        pytest.raises(OperatorError, match=r"pip install 'psycopg\[binary\]"),
        connected("postgresql://localhost/shop"),
    ):
        raise AssertionError("there is a driver")


def test_the_command_sends_every_product_with_the_password_of_the_environment(
    shop: Postgres,
    kafka_broker: str,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    for name, value in {
        "HOME": str(tmp_path), "KAFKA_BOOTSTRAP": kafka_broker, "EVENT_PARTITIONS": "2", "DATABASE_MAPPING": MAPPING
    }.items():  # fmt: skip
        monkeypatch.setenv(f"VITRINE_{name}", value)
    monkeypatch.setenv("PGPASSWORD", PASSWORD)
    url = f"postgresql://keeper@127.0.0.1:{shop.port}/{NAME}"
    assert main(["import", "--from", url]) == 0
    said = capsys.readouterr()
    assert "5 products with 5 images sent" in said.out
    assert PASSWORD not in said.out + said.err
    mine = {"A-1", "A-2", "A-3", "B-9", "Z-END"}
    written = [message for partition in range(2) for message in read_all(kafka_broker, PRODUCT_EVENTS, partition)]
    assert {message.key.decode() for message in written if message.key} >= mine
    shop.execute("UPDATE shop.products SET status = 'draft' WHERE sku = 'A-3'")
    assert main(["import", "--from", url, "--quiet"]) == 0
    assert "4 products with 4 images sent\n1 products that are not shown taken down" in capsys.readouterr().out
    shop.execute("UPDATE shop.products SET status = 'live' WHERE sku = 'A-3'")
    assert main(["import", "--from", url, "x.csv"]) == 2
    assert main(["import"]) == 2
    assert "name a catalogue, or a database by --from" in capsys.readouterr().err
