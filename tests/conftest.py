"""Fixtures that bring up real parts: `kafka_broker` (Kafka alone) and `system` (everything).

Both are shared by the tests of a session, on free ports and in a folder of their
own; their prerequisites are those of `make setup`. The system ends with the last
test that uses it: what comes after needs the processors.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, settings

from cli.runtime.programs import REPOSITORY
from cli.runtime.system import System as Runtime
from tests.support.objects.server import ObjectStore, used
from tests.system import System, system_settings

# The JVMs of tests live for seconds or minutes: less than they would spend on optimising themselves.
os.environ.setdefault("JVM_ARGS", "-XX:TieredStopAtLevel=1")

# A property does not fail because the machine is loaded.
settings.register_profile("untimed", deadline=None, suppress_health_check=[HealthCheck.too_slow])
settings.load_profile("untimed")


SYSTEMS = (
    "tests/e2e/test_",
    "tests/hostile/doors/",
    "tests/hostile/events/test_events_through_kafka.py",
    "tests/hostile/openapi/",
    "tests/hostile/resources/",
    "tests/integration/batch/test_full_index_build.py",
    "tests/integration/runtime/test_runtime_system.py",
)
"""Tests of whole systems: one after the other, in one process."""

_shared: list[System] = []
"""The system of the fixture `system`, from its first use on."""


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Whole systems first, the shared one last of them: while they wait, the other process runs the rest.

    Of that, files that need Kafka come first, so that one process alone starts it.
    """
    shares = [item for item in items if "system" in _needs(item)]
    if strays := [item.nodeid for item in shares if not item.nodeid.startswith(SYSTEMS)]:
        raise pytest.UsageError(f"{strays[0]} needs the whole system: name it in SYSTEMS (tests/conftest.py)")
    with_kafka = {item.path for item in items if "kafka_broker" in _needs(item)}

    def place(item: pytest.Item) -> tuple[bool, bool]:
        if not item.nodeid.startswith(SYSTEMS):
            return True, item.path not in with_kafka
        return False, "system" in _needs(item)

    items.sort(key=place)


@pytest.hookimpl(trylast=True)
def pytest_runtest_teardown(item: pytest.Item, nextitem: pytest.Item | None) -> None:
    """After the fixtures of the test itself: ends the shared system with its last test, where others follow."""
    if nextitem is not None and "system" in _needs(item) - _needs(nextitem):
        for running in _shared:
            running.stop()


def _needs(item: pytest.Item) -> set[str]:
    return set(getattr(item, "fixturenames", ()))


def pytest_xdist_make_scheduler(config: pytest.Config, log: Any) -> Any:
    """In several processes, as `make test` runs them, tests are shared out by files, whole systems as one."""
    from xdist.scheduler import LoadFileScheduling

    class Scheduling(LoadFileScheduling):  # type: ignore[misc]
        def _split_scope(self, nodeid: str) -> str:
            return "systems" if nodeid.startswith(SYSTEMS) else str(super()._split_scope(nodeid))

    return Scheduling(config, log)


@pytest.fixture(scope="session")
def object_store(tmp_path_factory: pytest.TempPathFactory) -> Iterator[ObjectStore]:
    """A real object store, which this process's client is of from now on."""
    store = ObjectStore(tmp_path_factory.mktemp("objects"))
    used(store)
    yield store
    used(None)
    store.kill()


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
    _shared.append(running)
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
