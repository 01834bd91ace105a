"""Extraction on a machine of its own: what sits where, what goes on while it is lost, and the way there and back."""

from __future__ import annotations

import time
from collections.abc import Iterator
from typing import Any

import pytest

from benchmarks.load.store_server import RunningServer
from cli.runtime.flink.access import FlinkAccess
from cli.runtime.flink.parts import EXTRACTION_MANAGER
from cli.runtime.flink.rest import LIVE_STATES, FlinkRest
from cli.runtime.watchdog.main import Watchdog
from cli.runtime.watchdog.state import NAME as WATCHDOG
from cli.runtime.watchdog.state import read_state
from jobs.realtime_index.stream_jobs import EXTRACTION_JOB, STREAM_JOB
from tests.rebuilt import stream_equals_batch
from tests.support.whole.pictures import write_pictures
from tests.support.whole.talking import added
from tests.support.whole.task_managers import another_task_manager, end, placed
from tests.system import JOB_MANAGER, System, eventually, system_settings

pytestmark = [pytest.mark.e2e, pytest.mark.drill]

AWAY_S = 20.0
"""For so long prices change while no machine takes extraction."""
AT_ONCE_S = 10.0
"""What goes on is there in milliseconds; so long a busy machine may take over it, and not half of the time away."""


@pytest.fixture(scope="module")
def apart(tmp_path_factory: pytest.TempPathFactory) -> Iterator[System]:
    folder = tmp_path_factory.mktemp("apart")
    server = RunningServer(folder / "store")
    system = System(folder / "home", extraction_apart=True, store=f"redis://127.0.0.1:{server.port}")
    try:
        system.start()
        yield system
    finally:
        system.stop()
        server.stop()


def sits_apart(system: System) -> bool:
    """Whether both jobs run, each on what offers it alone."""
    seen = {(each.job, each.offered) for each in placed(system)}
    return seen == {(job.name, (job.key,)) for job in (STREAM_JOB, EXTRACTION_JOB)}


def priced(product: str, price: float) -> dict[str, Any]:
    return {"type": "product_updated", "product_id": product, "product": {"price": price}}


def shows(system: System, product: str, price: float) -> bool:
    replicas = system.product(product).replicas
    return bool(replicas) and all(replica.price == price for replica in replicas)


def shown_after(system: System, product: str, price: float) -> float:
    """Seconds from the event's acknowledgement until every replica shows that price."""
    system.produce(priced(product, price))
    at = time.monotonic()
    eventually(lambda: shows(system, product, price), f"the price {price} is shown", AT_ONCE_S, 0.01)
    return time.monotonic() - at


def checkpoints(system: System, name: str) -> int:
    with FlinkRest(FlinkAccess.of(system.settings)) as flink:
        job = flink.live_job(name)
        assert job is not None, name
        return int(flink.checkpoints(job["jid"])["completed"])


@pytest.mark.timeout(1200)
def test_loss_of_the_extraction_machine_stops_new_pictures_and_nothing_else(apart: System) -> None:
    assert sits_apart(apart)
    assert any("extraction_source" in each.task for each in placed(apart) if each.job == EXTRACTION_JOB.name)
    apart.end(EXTRACTION_MANAGER)
    urls = write_pictures(apart.home / "apart", range(47_000, 47_030))
    with another_task_manager(apart, EXTRACTION_JOB) as machine:
        eventually(lambda: sits_apart(apart), "extraction is on the machine that has joined", 180)
        apart.produce(*(added(f"apart-{n}", url, price=1) for n, url in enumerate(urls[:20])))
        apart.wait_searchable(f"apart-{n}" for n in range(20))
        end(machine)
    apart.produce(*(added(f"apart-{n}", url, price=1) for n, url in enumerate(urls) if n >= 20))
    apart.produce({"type": "product_removed", "product_id": "apart-0"}, added("apart-known", urls[3], price=5))
    apart.wait_gone("apart-0", AT_ONCE_S)
    apart.wait_searchable(["apart-known"], timeout_s=AT_ONCE_S)
    before, slowest = checkpoints(apart, STREAM_JOB.name), 0.0
    began, price = time.monotonic(), 10.0
    while time.monotonic() - began < AWAY_S:
        price += 1
        slowest = max(slowest, shown_after(apart, "apart-1", price))
        time.sleep(0.2)
    print(f"\nextraction's machine away: a price shown after {slowest * 1000:.0f} ms at most")
    assert checkpoints(apart, STREAM_JOB.name) >= before + AWAY_S / 4, "its positions are committed all the while"
    assert {each.job for each in placed(apart)} == {STREAM_JOB.name}
    assert not any(any(apart.searchable_images(f"apart-{n}")) for n in range(20, 30))
    problem = read_state(apart.settings.layout).problem
    assert "no task manager takes extraction" in problem
    with another_task_manager(apart, EXTRACTION_JOB):
        at = time.monotonic()
        apart.wait_searchable(f"apart-{n}" for n in range(20, 30))
        print(f"another machine: the pictures that waited are there after {time.monotonic() - at:.1f} s")
        assert sits_apart(apart)
        apart.wait_settled()
        stream_equals_batch(apart)
    apart.start()


@pytest.mark.timeout(1200)
def test_jobs_come_back_with_a_job_manager_and_change_their_layout_without_one(apart: System) -> None:
    killed = {JOB_MANAGER: apart.pid(JOB_MANAGER)}
    apart.kill(JOB_MANAGER)
    apart.wait_back(killed)
    eventually(lambda: sits_apart(apart), "both jobs are back, each in its place", 360)
    log = (apart.runtime.log_folder() / f"{WATCHDOG}.log").read_text()
    assert f"name={EXTRACTION_JOB.name} plan=kept" in log
    urls = write_pictures(apart.home / "apart", range(47_100, 47_103))
    apart.produce(added("moved-0", urls[0], price=1))
    apart.wait_searchable(["moved-0"])

    apart.end(WATCHDOG)
    shared = system_settings(apart.home, **(_ports_and_store(apart) | {"extraction_apart": False}))
    watchdog = Watchdog(shared, supervised=False)
    eventually(watchdog.look, "one job has all stages, and the other is gone", 360, 1.0)
    with FlinkRest(FlinkAccess.of(shared)) as flink:
        assert [job["name"] for job in flink.jobs() if job["state"] in LIVE_STATES] == [STREAM_JOB.name]
    apart.produce(added("moved-1", urls[1], price=1))
    apart.wait_searchable(["moved-1"])

    apart.start()
    eventually(lambda: sits_apart(apart), "both jobs are there again, each in its place", 360)
    apart.produce(added("moved-2", urls[2], price=1), priced("moved-1", 9))
    apart.wait_searchable(["moved-2"])
    apart.wait_settled()
    stream_equals_batch(apart)


def _ports_and_store(system: System) -> dict[str, Any]:
    names = ("http_port", "kafka_port", "flink_port", "grpc_port", "metrics_port", "store")
    return {name: getattr(system.settings, name) for name in names}
