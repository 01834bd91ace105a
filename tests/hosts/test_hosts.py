"""The serving tier on four hosts: links go down, a host loses power, strangers knock. Real processes, real networks.

The streaming job stays outside: the shop's deltas come as it writes them. `tests/e2e` has the job, on one machine.
"""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path

import pytest

from messaging.admin import ensure_topics, wait_for_kafka
from schemas.access.kafka import KafkaAccess
from schemas.errors import OperatorError
from schemas.settings import load_settings
from tests.hosts.drill import ON_HOSTS, assert_strangers_are_refused, kafka_on
from tests.hosts.network import Network
from tests.hosts.shop import BackEnd, Shopper
from tests.hosts.tier import FRONT, GRPC_PORT, LOG, SHARDS, TWINS, TierOnHosts
from vision.extractor import extractor_id

ENCODER = "efficientnet_lite0"

pytestmark = ON_HOSTS


@pytest.fixture(scope="module")
def tier(tmp_path_factory: pytest.TempPathFactory) -> Iterator[TierOnHosts]:
    folder = tmp_path_factory.mktemp("hosts")
    with ExitStack() as stack:
        network = stack.enter_context(Network(*TWINS, LOG, FRONT))
        kafka = stack.enter_context(kafka_on(network, LOG, folder))
        ensure_topics(
            load_settings({}, home=str(folder / "topics"), shards=SHARDS, event_partitions=2, **kafka.settings)
        )
        running = TierOnHosts(network, kafka, folder, ENCODER)
        stack.callback(running.processes.stop)
        running.processes.start()
        yield running


def test_hosts_that_vanish_and_come_back_cost_no_answer_and_lose_nothing(tier: TierOnHosts) -> None:
    with BackEnd(tier.kafka, extractor_id(ENCODER), SHARDS) as shop:
        tier.await_whole()
        with Shopper(tier.url, shop, 1) as first, Shopper(tier.url, shop, 2) as second:
            for host, seconds in (("one", 5), ("two", 30)):
                tier.network.cut(host)
                time.sleep(seconds)
                tier.network.mend(host)
                tier.await_whole()
            tier.processes.kill("one")
            time.sleep(5)
            tier.processes.start("one")
            tier.await_whole()
            time.sleep(2)
    for shopper in (first, second):
        assert shopper.failures == []
        assert shopper.answers > 100
        # On two cores all searchers may seem silent for a moment while ten processes notice that a host is gone.
        assert shopper.partial <= shopper.answers / 50
        assert shopper.wrong == []
        assert shopper.slowest_s < 15

    def equal() -> bool:
        """Of each shard both replicas, as both blenders see them, and all that is on sale in them."""
        views = [tier.shards(host) for host in TWINS]
        digests = {(each["shard"], each["digest"]) for view in views for each in view}
        images = [sum(each["searchable"] for each in view) for view in views]
        return len(digests) == SHARDS and images == [len(TWINS) * len(shop.on_sale)] * len(TWINS)

    until = time.monotonic() + 60
    while not equal():
        assert time.monotonic() < until, [tier.shards(host) for host in TWINS]
        time.sleep(0.2)


def test_nobody_comes_in_over_the_network_without_a_certificate(tier: TierOnHosts, tmp_path: Path) -> None:
    services = [
        f"{tier.network.address(host)}:{port}"
        for number, host in enumerate(TWINS)
        for port in (GRPC_PORT, GRPC_PORT + 1 + number)
    ]
    assert_strangers_are_refused(services, tier.authority, tmp_path)
    with pytest.raises(OperatorError):
        wait_for_kafka(KafkaAccess(tier.kafka.addresses), 0.0)
