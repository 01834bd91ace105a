"""The environment of what is started: our own, without foreign VITRINE_* values, and all settings."""

from __future__ import annotations

import os
from typing import Any

import msgspec

from cli.runtime.programs import REPOSITORY
from schemas.settings import Settings


def child_environment(settings: Settings, **extra: str) -> dict[str, str]:
    """The environment of every started process: ours, without foreign VITRINE_* values, plus all settings."""
    environment = {key: value for key, value in os.environ.items() if not _is_setting(key)}
    environment.update(settings_environment(settings))
    environment["PYTHONPATH"] = str(REPOSITORY)
    environment["PYTHONUNBUFFERED"] = "1"
    environment.update(extra)
    return environment


def part_environment(settings: Settings, **extra: str) -> dict[str, str]:
    """What a supervised part has over the supervisor's own environment: all settings, as they are at its start."""
    return {**settings_environment(settings), **extra}


def settings_environment(settings: Settings) -> dict[str, str]:
    """The settings as VITRINE_* variables; `load_settings` of these gives the same settings again."""
    values: dict[str, str] = {}
    for name, value in msgspec.to_builtins(settings).items():
        values[f"VITRINE_{name.upper()}"] = _as_text(value)
    return values


def _as_text(value: Any) -> str:
    if isinstance(value, dict):
        return msgspec.json.encode(value).decode()
    return ",".join(value) if isinstance(value, list) else str(value)


def _is_setting(variable: str) -> bool:
    return variable.startswith("VITRINE_") and variable[8:].lower() in Settings.__struct_fields__
