"""Fixtures that bring up real parts: `kafka_broker` (Kafka alone) and `system` (everything).

Both live for the whole session, on free ports and in a folder of their own;
their prerequisites are those of `make setup`.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path

import pytest
from hypothesis import HealthCheck, settings

from cli.runtime.programs import REPOSITORY
from cli.runtime.system import System as Runtime
from tests.system import System, system_settings

# The JVMs of tests live for seconds or minutes: less than they would spend on optimising themselves.
os.environ.setdefault("JVM_ARGS", "-XX:TieredStopAtLevel=1")

# A property does not fail because the machine is loaded.
settings.register_profile("untimed", deadline=None, suppress_health_check=[HealthCheck.too_slow])
settings.load_profile("untimed")


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Tests of the shared system last, in their order: it lives to the session's end, and beside nobody else's work."""
    items.sort(key=lambda item: "system" in getattr(item, "fixturenames", ()))


@pytest.fixture(scope="session")
def kafka_broker(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """Bootstrap address of a real single-node Kafka that holds Vitrine's topics (2 partitions, 2 shards)."""
    runtime = Runtime(system_settings(tmp_path_factory.mktemp("kafka")))
    try:
        runtime.start_kafka()
        yield runtime.settings.bootstrap
    finally:
        runtime.stop()


@pytest.fixture(scope="session")
def system(tmp_path_factory: pytest.TempPathFactory) -> Iterator[System]:
    """The whole system, ready. Tests share it: use product ids of your own, and mend (`start`) what you kill."""
    running = System(tmp_path_factory.mktemp("system"))
    try:
        running.start()
        yield running
    finally:
        running.stop()


@pytest.fixture(scope="session")
def shared_data() -> Path:
    """Folder of the public data sets (VITRINE_SHARED or ../shared); skips where it is absent."""
    folder = Path(os.environ.get("VITRINE_SHARED") or REPOSITORY.parent / "shared") / "data"
    if not folder.is_dir():
        pytest.skip(f"no public data sets at {folder}; set VITRINE_SHARED to the folder that holds data/")
    return folder
