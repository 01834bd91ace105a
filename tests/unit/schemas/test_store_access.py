"""The setting `store`: what it may be, and that no password gets into it."""

from __future__ import annotations

from pathlib import Path

import pytest

from schemas.access.store import StoreServer
from schemas.errors import OperatorError
from schemas.settings import Settings, load_settings, settings_json


def loaded(home: Path, **values: str) -> Settings:
    return load_settings({f"VITRINE_{name.upper()}": value for name, value in values.items()}, home=str(home))


def test_stores_lie_in_the_home_unless_a_server_is_named(tmp_path: Path) -> None:
    assert loaded(tmp_path).store_server is None
    assert loaded(tmp_path, store="redis://kvrocks").store_server == StoreServer("kvrocks", 6379)
    found = loaded(
        tmp_path, store="rediss://shop@[::1]:6666/2", store_password_file="pw", store_tls_ca="ca.pem", store_name="b"
    ).store_server
    here = Path.cwd()
    assert found == StoreServer("::1", 6666, 2, "shop", str(here / "pw"), True, str(here / "ca.pem"), "b")


@pytest.mark.parametrize(
    ("values", "told"),
    [
        ({"store": "redis"}, "wanted is rocksdb, or redis://"),
        ({"store": "http://host:1"}, "wanted is rocksdb, or redis://"),
        ({"store": "redis://"}, "wanted is rocksdb, or redis://"),
        ({"store": "redis://host:port"}, "wanted is rocksdb, or redis://"),
        ({"store": "redis://host/one"}, "wanted is rocksdb, or redis://"),
        ({"store": "redis://host/-1"}, "wanted is rocksdb, or redis://"),
        ({"store": "redis://host?ssl=1"}, "wanted is rocksdb, or redis://"),
        ({"store": "redis://host", "store_tls_ca": "ca.pem"}, "begin store with rediss://"),
        ({"store": "redis://host", "store_name": "a}b"}, "store_name 'a}b' is not usable"),
        ({"store_password_file": "pw"}, "set store to redis://host:port"),
    ],
)
def test_what_is_no_place_of_a_store_is_refused_with_what_to_do(
    tmp_path: Path, values: dict[str, str], told: str
) -> None:
    with pytest.raises(OperatorError, match=told):
        loaded(tmp_path, **values)


@pytest.mark.parametrize("store", ["redis://:S3CRET@host", "redis://u:S3CRET@host", "redis://u:S3CRET@host:x"])
def test_a_password_in_the_setting_is_refused_and_not_repeated(tmp_path: Path, store: str) -> None:
    with pytest.raises(OperatorError) as refused:
        loaded(tmp_path, store=store)
    assert "S3CRET" not in str(refused.value)
    assert "store" in str(refused.value)


def test_the_password_is_read_from_its_file_and_is_in_nothing_that_is_shown(tmp_path: Path) -> None:
    file = tmp_path / "pw"
    file.write_text("S3CRET\n")
    settings = loaded(tmp_path, store="redis://host", store_password_file=str(file))
    assert settings.store_server is not None
    assert settings.store_server.password() == "S3CRET"
    assert "S3CRET" not in settings_json(settings) + repr(settings.store_server) + str(settings.store_server)
    file.write_text("\n")
    with pytest.raises(OperatorError, match="is empty"):
        settings.store_server.password()
