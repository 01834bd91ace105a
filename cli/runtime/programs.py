"""The programs that are started: where this checkout, its jars, Flink, Java and Python are."""

from __future__ import annotations

import importlib.util
import os
import shutil
import sys
from pathlib import Path

from schemas.errors import OperatorError

REPOSITORY = Path(__file__).resolve().parents[2]
"""The checkout (or, in a container, the folder) that holds the code, `jobs/` and `.cache/`."""

LOOPBACK = "127.0.0.1"
"""Where Kafka and Flink listen, whatever `Settings.host` says: neither asks who calls."""


def jar_folder() -> Path:
    """Where setup puts the jars; the variable VITRINE_JARS names another place."""
    return Path(os.environ.get("VITRINE_JARS") or REPOSITORY / ".cache" / "jars")


def jars(kind: str) -> list[Path]:
    """The jars of `kafka`, `kafka-tools`, `flink` or `doors`, sorted.

    Raises `OperatorError` when setup has not brought them.
    """
    folder = jar_folder() / kind
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
