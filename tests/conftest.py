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


SYSTEMS = ("e2e", "hostile/doors", "hostile/events", "hostile/openapi", "hostile/resources", "integration/runtime")
"""Folders of tests that need whole systems, which take both cores: one after the other, in one process."""


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Whole systems last, and the shared one after those of their own: it lives to the session's end.

    With pytest-xdist, as `make test` runs it, all others are shared out by
    files; whole systems are one group, which one process takes at last.
    """
    items.sort(key=lambda item: (group(item) == "systems", "system" in getattr(item, "fixturenames", ())))
    for item in items:
        item.add_marker(pytest.mark.xdist_group(group(item)))


def group(item: pytest.Item) -> str:
    """"systems", or the test's file."""
    file = item.path.relative_to(Path(__file__).parent).as_posix()
    whole = file.startswith(SYSTEMS) or "system" in getattr(item, "fixturenames", ())
    return "systems" if whole else file


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
