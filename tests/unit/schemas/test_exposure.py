"""The rule for addresses that other machines reach."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from schemas.access.certificates import certificates
from schemas.access.exposure import check_grpc_exposure, check_http_exposure, open_host
from schemas.access.hosts import is_loopback, near_host
from schemas.errors import OperatorError
from schemas.settings import Settings, load_settings

HTTP = {"api_keys_file": "/k", "tls_certificate": "/c", "tls_key": "/t"}
GRPC = {"grpc_tls_ca": "/a", "grpc_tls_certificate": "/c", "grpc_tls_key": "/k"}


def settings(host: str, **values: Any) -> Settings:
    return load_settings({}, home="/nowhere", host=host, **values)


@pytest.mark.parametrize("host", ["127.0.0.1", "127.8.0.1", "::1", "localhost"])
def test_loopback_needs_nothing(host: str) -> None:
    assert is_loopback(host)
    check_http_exposure(settings(host))
    check_grpc_exposure(settings(host))
    assert open_host(settings(host)) == host


@pytest.mark.parametrize(
    "host", ["0.0.0.0", "::", "", "10.0.0.5", "2001:db8::1", "shop.example.com", "127.0.0.1.example"]
)
def test_any_other_address_needs_keys_and_encryption(host: str) -> None:
    with pytest.raises(OperatorError, match="api_keys_file, tls_certificate, tls_key") as refused:
        check_http_exposure(settings(host))
    assert "VITRINE_ALLOW_OPEN_ADDRESS" in str(refused.value)
    with pytest.raises(OperatorError, match="grpc_tls_ca, grpc_tls_certificate, grpc_tls_key"):
        check_grpc_exposure(settings(host))
    check_http_exposure(settings(host, **HTTP))
    check_grpc_exposure(settings(host, **GRPC))
    check_http_exposure(settings(host, allow_open_address=True))
    check_grpc_exposure(settings(host, allow_open_address=True))


@pytest.mark.parametrize("lacking", HTTP)
def test_each_part_is_needed(lacking: str) -> None:
    with pytest.raises(OperatorError, match=lacking):
        check_http_exposure(settings("10.0.0.5", **(HTTP | {lacking: ""})))


def test_metrics_stay_on_loopback_unless_told_so() -> None:
    assert open_host(settings("10.0.0.5", **GRPC)) == "127.0.0.1"
    assert open_host(settings("10.0.0.5", allow_open_address=True)) == "10.0.0.5"


def test_own_machine_is_reached_by_an_address_that_can_be_connected_to() -> None:
    assert [near_host(host) for host in ("0.0.0.0", "::", "10.0.0.5")] == [
        "127.0.0.1",
        "127.0.0.1",
        "10.0.0.5",
    ]


def test_grpc_is_open_without_files_and_never_by_half(tmp_path: Path) -> None:
    assert certificates(settings("127.0.0.1").tier) is None
    with pytest.raises(OperatorError, match="set grpc_tls_key too"):
        certificates(settings("127.0.0.1", **(GRPC | {"grpc_tls_key": ""})).tier)
    with pytest.raises(OperatorError, match="/a cannot be read"):
        certificates(settings("127.0.0.1", **GRPC).tier)
