"""What is true of every setting, and those that name files."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from cli.runtime.environment import settings_environment
from schemas.errors import OperatorError
from schemas.settings import Settings, load_settings, settings_json

ROOT = Path(__file__).resolve().parents[3]


def test_no_setting_holds_a_secret_itself() -> None:
    """Settings are logged, printed and handed to every process: secrets lie in files that they name."""
    suspicious = re.compile("password|secret|token|key", re.I)
    files = re.compile("_file$|_tls_key$|^tls_key$")
    assert [name for name in Settings.__struct_fields__ if suspicious.search(name) and not files.search(name)] == []


def test_start_up_line_names_the_file_and_not_what_is_in_it(tmp_path: Path) -> None:
    secret = tmp_path / "password"
    secret.write_text("hunter2")
    text = settings_json(load_settings({}, home=str(tmp_path), kafka_sasl_password_file=str(secret)))
    assert str(secret) in text
    assert "hunter2" not in text


def test_files_are_found_from_any_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    settings = load_settings({"VITRINE_GRPC_TLS_CA": "ca.pem"}, home=str(tmp_path / "home"))
    assert settings.grpc_tls_ca == str(tmp_path / "ca.pem")
    assert settings.grpc_tls_key == ""


def test_yes_and_no_survive_the_environment(tmp_path: Path) -> None:
    for value in (True, False):
        settings = load_settings({}, home=str(tmp_path), allow_open_address=value)
        assert load_settings(settings_environment(settings)).allow_open_address is value


def test_way_into_kafka_without_a_kafka_of_ones_own_is_refused(tmp_path: Path) -> None:
    with pytest.raises(OperatorError, match="kafka_bootstrap"):
        _ = load_settings({}, home=str(tmp_path), kafka_security_protocol="SSL").kafka


def test_unknown_protocol_is_refused_by_name(tmp_path: Path) -> None:
    with pytest.raises(OperatorError, match="kafka_security_protocol"):
        load_settings({"VITRINE_KAFKA_SECURITY_PROTOCOL": "SASL_TLS"}, home=str(tmp_path))


def test_clients_take_the_way_in_and_not_the_bare_address() -> None:
    """`Settings.bootstrap` is for messages and records; what connects takes `Settings.kafka`."""
    found = []
    for package in ("cli", "jobs", "serving", "messaging", "tracing", "benchmarks"):
        for file in sorted((ROOT / package).rglob("*.py")):
            for line in file.read_text().splitlines():
                bare = re.sub(r"\{[^{}]*\}|`[^`]*`", "", line)
                if "settings.bootstrap" in bare:
                    found.append(f"{file.relative_to(ROOT)}: {line.strip()}")
    assert found == []
