"""The streaming job over two task managers, with its stores on a server: one dies in the middle of an import."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from pathlib import Path

import pytest

from benchmarks.load.store_server import RunningServer
from cli.runtime.flink.access import FlinkAccess
from cli.runtime.flink.rest import FlinkRest
from tests.rebuilt import stream_equals_batch
from tests.support.whole.pictures import write_pictures
from tests.support.whole.talking import added
from tests.support.whole.task_managers import another_task_manager, end, workers
from tests.system import System, eventually

pytestmark = [pytest.mark.e2e, pytest.mark.drill]


@pytest.fixture(scope="module")
def spread(tmp_path_factory: pytest.TempPathFactory) -> Iterator[System]:
    """Two subtasks of each stage, and task managers that have room for one."""
    folder = tmp_path_factory.mktemp("spread")
    server = RunningServer(folder / "store")
    system = System(folder / "home", parallelism=2, task_slots=1, store=f"redis://127.0.0.1:{server.port}")
    try:
        yield system
    finally:
        system.stop()
        server.stop()


@pytest.mark.timeout(900)
def test_job_runs_on_both_and_loses_nothing_when_one_dies(spread: System, tmp_path: Path) -> None:
    starting = threading.Thread(target=spread.start)
    starting.start()
    access = FlinkAccess.of(spread.settings)

    def slots() -> int:
        with FlinkRest(access) as rest:
            return rest.slots()

    eventually(lambda: slots() == 1, "its own task manager is there", timeout_s=180)
    with another_task_manager(spread) as another:
        starting.join()
        eventually(lambda: workers(another.pid) >= 1, "the other one has workers of the job")
        assert workers(spread.pid("flink-taskmanager")) >= 1
        urls = write_pictures(spread.home / "spread", range(46_000, 46_040))
        events = [added(f"spread-{n}", url, price=n) for n, url in enumerate(urls)]
        spread.produce(*events[:20])
        spread.wait_searchable(["spread-0"])
        end(another)
        spread.produce(*events[20:], {"type": "product_removed", "product_id": "spread-1"})
        with another_task_manager(spread) as third:
            spread.wait_job()
            eventually(lambda: workers(third.pid) >= 1, "the third one has taken the place of the dead one")
            spread.wait_searchable(f"spread-{n}" for n in range(40) if n != 1)
            spread.wait_gone("spread-1")
            spread.produce({"type": "product_updated", "product_id": "spread-39", "product": {"price": 99}})
            spread.wait_settled()
            assert all(replica.price == 99 for replica in spread.product("spread-39").replicas)
            stream_equals_batch(spread)
