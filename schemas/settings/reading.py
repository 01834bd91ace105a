"""Reading settings: from the home's file and the environment, with their precedence, checked once."""

from __future__ import annotations

import os
import tomllib
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import msgspec

from schemas.access.addresses import is_file
from schemas.errors import OperatorError
from schemas.features.of_home import read_home_encoder
from schemas.layout import Layout
from schemas.settings.settings import Settings

_FILES = frozenset(
    (
        *("kafka_sasl_password_file", "kafka_tls_ca", "kafka_tls_certificate", "kafka_tls_key"),
        *("store_password_file", "store_tls_ca", "flink_tls_keystore_file", "flink_tls_password_file"),
        *("grpc_tls_ca", "grpc_tls_certificate", "grpc_tls_key"),
        *("api_keys_file", "tls_certificate", "tls_key", "database_mapping"),
    )
)
"""Made absolute when read: processes that inherit them work in other folders."""
_LISTS = frozenset(
    (
        *("fetch_allowed_hosts", "fetch_allowed_networks", "fetch_allowed_folders", "fetch_allowed_buckets"),
        *("allowed_hosts", "filter_attributes", "text_attributes", "further_encoders"),
    )
)

_TABLES = frozenset(("rank_profiles",))


def load_settings(environment: Mapping[str, str] | None = None, **overrides: Any) -> Settings:
    """Reads, checks and freezes the settings. Raises `OperatorError` naming the wrong key and its source."""
    environment = os.environ if environment is None else environment
    home = Path(str(overrides.get("home") or environment.get("VITRINE_HOME") or ".vitrine")).expanduser().resolve()
    values = chosen(home, environment)
    values.update(overrides)
    values["home"] = str(home)
    if "encoder" not in values and (found := read_home_encoder(Layout(home))) is not None:
        values = {"weights": found.weights} | values | {"encoder": found.encoder}
    for name in _FILES & values.keys():
        if values[name]:
            values[name] = str(Path(str(values[name])).expanduser().resolve())
    if is_file(searchers := str(values.get("searcher_address", ""))):
        values["searcher_address"] = str(Path(searchers).expanduser().resolve())
    try:
        settings = msgspec.convert(values, Settings, strict=False)
    except msgspec.ValidationError as error:
        file = home / "vitrine.toml"
        raise OperatorError(f"setting not usable: {error}; see {file} and the VITRINE_* variables") from error
    _ = settings.store_server  # before anything shows it: a password in it is refused
    _ = settings.trace_collector
    if settings.kafka_node:
        _ = settings.own_broker
    _ = settings.tier
    _ = settings.layout
    return settings


def chosen(home: Path, environment: Mapping[str, str]) -> dict[str, Any]:
    """What the home's file and the environment say, by setting. Raises `OperatorError` for what cannot be read."""
    values: dict[str, Any] = {}
    file = home / "vitrine.toml"
    if file.exists():
        try:
            values.update(tomllib.loads(file.read_text()))
        except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
            raise OperatorError(f"{file} is not TOML: {error}; mend or remove the file") from error
    for name in Settings.__struct_fields__:
        text = environment.get(f"VITRINE_{name.upper()}")
        if text is not None and text != "":
            values[name] = _from_text(name, text)
    return values


def _from_text(name: str, text: str) -> Any:
    """A variable's value; raises `OperatorError` where JSON is wanted and is not there."""
    if name in _LISTS:
        return [part for part in text.split(",") if part]
    if name in _TABLES:
        try:
            return msgspec.json.decode(text)
        except msgspec.DecodeError as error:
            raise OperatorError(f"VITRINE_{name.upper()} is not JSON: {error}") from error
    return text


def settings_json(settings: Settings) -> str:
    """For the start-up log line. No field holds a secret: what must not be seen lies in files that fields name."""
    return msgspec.json.encode(settings).decode()
