"""Where things lie: the checkout's programs and jars, and the folders of a running system below its home."""

from __future__ import annotations

import importlib.util
import os
import shutil
import sys
from dataclasses import dataclass
from pathlib import Path

import msgspec

from schemas.errors import OperatorError
from schemas.settings import Settings

REPOSITORY = Path(__file__).resolve().parents[2]
"""The checkout (or, in a container, the folder) that holds the code, `jobs/` and `.cache/`."""

LOOPBACK = "127.0.0.1"
"""Where Kafka and Flink listen, whatever `Settings.host` says: neither asks who calls."""


@dataclass(frozen=True, slots=True)
class Layout:
    """All paths of one system; nothing outside `home` is ever written."""

    home: Path

    @property
    def run(self) -> Path:
        """Process records: one JSON file per started process."""
        return self.home / "run"

    @property
    def parts(self) -> Path:
        """What is to run: one JSON file per part (`cli/runtime/parts.py`)."""
        return self.run / "parts"

    @property
    def logs(self) -> Path:
        return self.home / "logs"

    @property
    def kafka(self) -> Path:
        return self.home / "kafka"

    @property
    def flink(self) -> Path:
        return self.home / "flink"

    @property
    def flink_conf(self) -> Path:
        return self.flink / "conf"

    @property
    def flink_key(self) -> Path:
        """The key that changes to Flink must carry, see `cli.runtime.flink.flink_key`."""
        return self.flink / "key"

    @property
    def job_plan(self) -> Path:
        """The streaming job as it was last planned (`jobs/realtime_index/kept_plan.py`)."""
        return self.flink / "job-plan"

    def make(self) -> None:
        for folder in (self.home, self.run, self.parts, self.logs, self.kafka, self.flink_conf):
            folder.mkdir(parents=True, exist_ok=True)


def layout_of(settings: Settings) -> Layout:
    return Layout(settings.home_path)


def jars(kind: str) -> list[Path]:
    """The jars of `kafka`, `flink` or `doors`, sorted. Raises `OperatorError` when setup has not brought them."""
    folder = Path(os.environ.get("VITRINE_JARS") or REPOSITORY / ".cache" / "jars") / kind
    found = sorted(folder.glob("*.jar"))
    if not found:
        raise OperatorError(f"no jars in {folder}: run `make setup` (it fetches them with Maven, and compiles ours)")
    return found


def flink_home() -> Path:
    """Flink's distribution inside the installed apache-flink package."""
    spec = importlib.util.find_spec("pyflink")
    if spec is None or not spec.submodule_search_locations:
        raise OperatorError("apache-flink is not installed: run `make setup`")
    home = Path(spec.submodule_search_locations[0])
    if not (home / "bin" / "jobmanager.sh").exists():
        raise OperatorError(f"{home} holds no Flink distribution: run `make setup` to reinstall apache-flink")
    return home


def java() -> str:
    """Path of the `java` program: JAVA_HOME's, else the one on PATH."""
    java_home = os.environ.get("JAVA_HOME")
    if java_home and (program := Path(java_home) / "bin" / "java").exists():
        return str(program)
    found = shutil.which("java")
    if found is None:
        raise OperatorError("no java found: install a JDK 17 (Debian: apt-get install openjdk-17-jdk-headless)")
    return found


def python() -> str:
    """This very interpreter: Flink's workers and the services run in the environment that started them."""
    return sys.executable


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
        values[f"VITRINE_{name.upper()}"] = ",".join(value) if isinstance(value, list) else str(value)
    return values


def _is_setting(variable: str) -> bool:
    return variable.startswith("VITRINE_") and variable[8:].lower() in Settings.__struct_fields__
