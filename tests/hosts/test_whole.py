"""A whole system on four hosts, the streaming job on two of them: links go down, hosts lose power, nothing is lost."""

from __future__ import annotations

import os
import socket
import ssl
import time
from collections.abc import Iterator
from contextlib import ExitStack

import pytest

from benchmarks.load.store_server import RunningServer
from cli.runtime.flink.parts import TASK_MANAGER
from schemas.access.flink import DEFAULT_PORT
from tests.e2e.test_task_managers import workers
from tests.hosts.drill import ON_HOSTS, kafka_on
from tests.hosts.network import Network
from tests.hosts.shop import EventBackEnd, Shopper
from tests.hosts.whole import FRONT, LOG, SHARDS, WORKERS, SystemOnHosts
from tests.rebuilt import rebuild

EXTRACTOR = "external:shop:16"
CUTS = [("one", 5.0), ("two", 30.0)]
if longest := os.environ.get("VITRINE_LONGEST_CUT_S"):
    CUTS.append(("two", float(longest)))  # make hosts

pytestmark = ON_HOSTS


@pytest.fixture(scope="module")
def whole(tmp_path_factory: pytest.TempPathFactory) -> Iterator[SystemOnHosts]:
    folder = tmp_path_factory.mktemp("whole")
    with ExitStack() as stack:
        network = stack.enter_context(Network(*WORKERS, LOG, FRONT))
        address, within = network.address(LOG), network.within(LOG)
        kafka = stack.enter_context(kafka_on(network, LOG, folder))
        store = RunningServer(folder / "store", "--protected-mode", "no", host=address, within=within)
        stack.callback(store.stop)
        running = SystemOnHosts(network, kafka, store, folder, encoder=EXTRACTOR)
        stack.callback(running.processes.stop)
        running.processes.start()
        yield running


@pytest.mark.timeout(1800)
def test_job_on_two_hosts_loses_nothing_when_either_is_cut_off_or_dies(whole: SystemOnHosts) -> None:
    took = {"start": whole.await_whole()}
    assert all(workers(whole.processes.pid(f"{TASK_MANAGER} on {host}")) for host in WORKERS), "each has its share"
    with (
        EventBackEnd(whole.settings.kafka, EXTRACTOR, SHARDS) as shop,
        Shopper(whole.url, shop, 1) as first,
        Shopper(whole.url, shop, 2) as second,
    ):
        for host, seconds in CUTS:
            whole.network.cut(host)
            time.sleep(seconds)
            whole.network.mend(host)
            took[f"{host} cut off for {seconds:.0f} s"] = whole.await_whole()
        whole.processes.kill("two")
        time.sleep(5)
        whole.processes.start("two")
        took["two without power for 5 s"] = whole.await_whole()
        whole.processes.kill("one")
        whole.renew_disk("one")
        whole.processes.start("one")
        took["one on a new disk"] = whole.await_whole()
    for what, seconds in took.items():
        print(f"{what}: {seconds:.1f} s until everything was fresh")
    for shopper in (first, second):
        print(f"{shopper.answers} answers, {shopper.partial} partial, the slowest {shopper.slowest_s:.1f} s")
        assert shopper.failures == []
        assert shopper.answers > 100
        # On two cores all searchers may seem silent for a moment while ten processes notice that a host is gone.
        assert shopper.partial <= shopper.answers / 50
        assert shopper.wrong == []
        assert shopper.slowest_s < 15
    await_equal(whole, len(shop.on_sale))


def await_equal(whole: SystemOnHosts, on_sale: int) -> None:
    """Both replicas of each shard are what the log, fed through the pure core, comes to, and show what is on sale."""
    truth = rebuild(whole.settings)
    assert sum(record.listed for record in truth.records.values()) == on_sale
    until = time.monotonic() + 60
    while True:
        seen = whole.shards()
        digests = {(each["shard"], each["digest"]) for each in seen}
        if digests == set(enumerate(truth.digests)) and sum(each["searchable"] for each in seen) == 2 * on_sale:
            return
        assert time.monotonic() < until, (seen, truth.digests, on_sale)
        time.sleep(0.2)


def test_flink_speaks_with_nobody_who_lacks_its_key(whole: SystemOnHosts) -> None:
    """Its ports run the code that they are given; the REST interface is not on the network at all."""
    manager = whole.network.address(WORKERS[0])
    trusting = ssl.create_default_context()
    trusting.check_hostname, trusting.verify_mode = False, ssl.CERT_NONE
    with (
        socket.create_connection((manager, DEFAULT_PORT), timeout=10) as plain,
        pytest.raises(ssl.SSLError),
        trusting.wrap_socket(plain) as encrypted,
    ):
        encrypted.recv(1)
    with pytest.raises(ConnectionRefusedError):
        socket.create_connection((manager, whole.settings.flink_port), timeout=10)
