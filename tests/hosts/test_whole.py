"""A whole system on four hosts, the streaming job on two of them: links go down, hosts lose power, nothing is lost."""

from __future__ import annotations

import hashlib
import os
import socket
import ssl
import time
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path

import httpx
import pytest
import redis

from benchmarks.load.store_server import RunningServer
from cli.runtime.flink.parts import TASK_MANAGER
from messaging.admin import wait_for_kafka
from schemas.access.api_keys import Role
from schemas.access.flink import DEFAULT_PORT
from schemas.access.kafka import KafkaAccess
from schemas.errors import OperatorError
from tests.e2e.test_task_managers import workers
from tests.hosts.drill import ON_HOSTS, assert_strangers_are_refused, kafka_on
from tests.hosts.network import Network
from tests.hosts.shop import BackEnd, EventBackEnd, Shopper
from tests.hosts.whole import (
    FRONT,
    FRONT_PORT,
    GRPC_PORT,
    HTTP_PORT,
    LOG,
    SHARDS,
    STORE_PASSWORD,
    WORKERS,
    SystemOnHosts,
)
from tests.rebuilt import rebuild

EXTRACTOR = "external:shop:16"
CUTS = [("one", 5.0), ("two", 30.0), (LOG, 20.0)]
if longest := os.environ.get("VITRINE_LONGEST_CUT_S"):
    CUTS.append(("two", float(longest)))  # make hosts

pytestmark = [*ON_HOSTS, pytest.mark.timeout(1800)]


@pytest.fixture(scope="module")
def whole(tmp_path_factory: pytest.TempPathFactory) -> Iterator[SystemOnHosts]:
    folder = tmp_path_factory.mktemp("whole")
    with ExitStack() as stack:
        network = stack.enter_context(Network(*WORKERS, LOG, FRONT))
        address, within = network.address(LOG), network.within(LOG)
        kafka = stack.enter_context(kafka_on(network, LOG, folder))
        store = RunningServer(folder / "store", "--requirepass", STORE_PASSWORD, host=address, within=within)
        stack.callback(store.stop)
        running = SystemOnHosts(network, kafka, store, folder, encoder=EXTRACTOR)
        stack.callback(running.processes.stop)
        running.processes.start()
        print(f"start: {running.await_whole():.1f} s until everything was fresh")
        yield running


def test_job_on_two_hosts_loses_nothing_when_either_is_cut_off_or_dies(whole: SystemOnHosts) -> None:
    took: dict[str, float] = {}
    assert all(workers(whole.processes.pid(f"{TASK_MANAGER} on {host}")) for host in WORKERS), "each has its share"
    with (
        EventBackEnd(whole.settings.kafka, EXTRACTOR, SHARDS) as shop,
        shopper(whole, shop, 1) as first,
        shopper(whole, shop, 2) as second,
    ):
        for host, seconds in CUTS:
            whole.network.cut(host)
            time.sleep(seconds)
            whole.network.mend(host)
            took[f"{host} cut off for {seconds:.0f} s"] = whole.await_whole()
        whole.store.kill()
        time.sleep(5)
        whole.store.start()
        took["stores' server killed, back after 5 s"] = whole.await_whole()
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
    for each in (first, second):
        print(f"{each.answers} answers, {each.partial} partial, the slowest {each.slowest_s:.1f} s")
        assert each.failures == []
        assert each.answers > 100
        # On two cores all searchers may seem silent for a moment while ten processes notice that a host is gone.
        assert each.partial <= each.answers / 50
        assert each.wrong == []
        assert each.slowest_s < 15
    await_equal(whole, len(shop.on_sale))


def shopper(whole: SystemOnHosts, shop: BackEnd, seed: int) -> Shopper:
    return Shopper(whole.url, shop, seed, headers=whole.door.headers(Role.SEARCH), verify=whole.door.trusting)


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


def test_certificates_are_renewed_under_queries(whole: SystemOnHosts) -> None:
    """Those of the blenders and of every service, by files that are put in place of others."""
    whole.await_whole()
    doors = [(FRONT, HTTP_PORT), *((host, GRPC_PORT) for host in WORKERS)]
    before = [serial(whole, *door) for door in doors]
    with EventBackEnd(whole.settings.kafka, EXTRACTOR, SHARDS, seed=2) as shop, shopper(whole, shop, 3) as asking:
        whole.door.renew()
        for host in (*WORKERS, FRONT):
            whole.renew_certificate(host)
        until = time.monotonic() + 60
        while any(serial(whole, *door) == old for door, old in zip(doors, before, strict=True)):
            assert time.monotonic() < until, "an old certificate is still shown"
            time.sleep(0.5)
        time.sleep(5)
    assert asking.failures == []
    assert asking.wrong == []
    assert asking.answers > 20
    whole.await_whole()


def serial(whole: SystemOnHosts, host: str, port: int) -> str:
    """Of the certificate that is shown there."""
    shown = ssl.get_server_certificate((whole.network.address(host), port), timeout=10)
    return hashlib.sha256(shown.encode()).hexdigest()


def test_nobody_comes_in_from_the_network_without_what_each_door_wants(whole: SystemOnHosts, tmp_path: Path) -> None:
    door, network, settings = whole.door, whole.network, whole.settings
    for url in (whole.url, *whole.blenders):
        assert door.get(f"{url}/readyz").status_code == 200
        assert door.get(f"{url}/v1/products/host-1/similar").status_code == 401
        assert door.get(f"{url}/metrics", Role.SEARCH).status_code == 403
        assert httpx.post(
            f"{url}/v1/products/host-1/erase", headers=door.headers(Role.OPERATE), verify=door.trusting, timeout=10
        ).status_code == 403  # fmt: skip
        with pytest.raises(httpx.TransportError):
            httpx.get(url.replace("https://", "http://") + "/readyz", timeout=10)
    services = [
        f"{network.address(host)}:{port}"
        for replica, host in enumerate(WORKERS)
        for port in (GRPC_PORT, GRPC_PORT + 1 + replica)
    ]
    assert_strangers_are_refused(services, whole.authority, tmp_path)
    with pytest.raises(OperatorError):
        wait_for_kafka(KafkaAccess(settings.kafka.addresses), 0.0)
    assert settings.store_server is not None
    with (
        redis.Redis(settings.store_server.host, settings.store_server.port, socket_timeout=10) as client,
        pytest.raises(redis.AuthenticationError),
    ):
        client.get("applied")


def test_what_listens_beyond_its_host_is_what_has_a_door(whole: SystemOnHosts) -> None:
    """Metrics, the dashboard and all else stay on each host's loopback address; Flink's ports want its key."""
    ours = {host: {GRPC_PORT, *(GRPC_PORT + 1 + n + 2 * s for s in range(SHARDS))} for n, host in enumerate(WORKERS)}
    ours[FRONT] = {HTTP_PORT, HTTP_PORT + 1, FRONT_PORT}
    for host, services in ours.items():
        heard = whole.network.listening(host)
        assert services <= heard
        for port in heard - services:
            assert host in WORKERS, f"nothing else listens at the front: {port}"
            with (
                socket.create_connection((whole.network.address(host), port), timeout=10) as plain,
                pytest.raises(ssl.SSLError),
                trusting_anybody().wrap_socket(plain) as encrypted,
            ):
                encrypted.recv(1)


def test_key_that_is_revoked_opens_nothing_at_any_blender(whole: SystemOnHosts) -> None:
    door = whole.door
    asked = [f"{url}/v1/index" for url in whole.blenders]
    assert [door.get(url, Role.ERASE).status_code for url in asked] == [403, 403]
    door.revoke(Role.ERASE)
    until = time.monotonic() + 30
    while [door.get(url, Role.ERASE).status_code for url in asked] != [401, 401]:
        assert time.monotonic() < until, "a revoked key is still known"
        time.sleep(0.2)


def test_flink_speaks_with_nobody_who_lacks_its_key(whole: SystemOnHosts) -> None:
    """Its ports run the code that they are given; the REST interface is not on the network at all."""
    manager = whole.network.address(WORKERS[0])
    with (
        socket.create_connection((manager, DEFAULT_PORT), timeout=10) as plain,
        pytest.raises(ssl.SSLError),
        trusting_anybody().wrap_socket(plain) as encrypted,
    ):
        encrypted.recv(1)
    with pytest.raises(ConnectionRefusedError):
        socket.create_connection((manager, whole.settings.flink_port), timeout=10)


def trusting_anybody() -> ssl.SSLContext:
    context = ssl.create_default_context()
    context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
    return context
