"""A whole system over three brokers: they are killed under events and queries, and nothing is lost."""

from __future__ import annotations

import signal
import time
from collections import defaultdict
from collections.abc import Iterator
from itertools import pairwise

import pytest

from cli.inspection import replica_problems
from messaging.admin import admin_client, wait_for_kafka
from messaging.producer import EventProducer, now_ms
from messaging.ranges import read_all
from messaging.replication import replicas_behind, replications
from schemas.errors import TransientError
from schemas.topics import PRODUCT_EVENTS
from tests.hosts.shop import Acknowledged, EventBackEnd, Shopper
from tests.rebuilt import stream_equals_batch
from tests.support.brokers import Brokers
from tests.system import System, eventually

pytestmark = [pytest.mark.e2e, pytest.mark.drill]

EXTRACTOR = "external:shop:16"
AWAY_S = 10.0
PATIENCE_S = 600.0
"""For brokers to start: three JVMs beside a whole system, on however busy a machine."""


class Replicated:
    """The system and its brokers."""

    def __init__(self, system: System, brokers: Brokers) -> None:
        self.system = system
        self.brokers = brokers

    def leader(self, partition: int) -> int:
        """The broker that leads that partition of `product-events`."""
        topics = admin_client(self.brokers.access).list_topics(timeout=10).topics
        return int(topics[PRODUCT_EVENTS].partitions[partition].leader)

    def lose(self, what: str, shop: EventBackEnd, number: int, by: int = signal.SIGKILL) -> None:
        """That broker ends, and starts once all is fresh again without it; prints how long that and the events took."""
        began_s, since_ms = time.monotonic(), now_ms()
        self.brokers.end(number, by=by)
        fresh_s = self.await_fresh(since_ms)
        eventually(lambda: replica_problems(self.system.settings), "the status tells of it")
        self.brokers.start(number)
        back_s = self.await_in_sync()
        print(
            f"{what}: {longest_pause(shop.acknowledged, began_s):.1f} s without an acknowledged event, fresh after "
            f"{fresh_s:.1f} s, all in sync {back_s:.1f} s after its start"
        )

    def await_fresh(self, since_ms: int) -> float:
        """Until every shard shows what is at most two seconds old; how many seconds after `since_ms` that is."""

        def fresh() -> bool:
            oldest = min(view.watermark_ms for view in self.system.shards())
            return oldest > since_ms and now_ms() - oldest < 2000

        eventually(fresh, "the index is fresh again", PATIENCE_S)
        return (now_ms() - since_ms) / 1000

    def await_in_sync(self) -> float:
        """Until every replica is up to date; returns after how many seconds that is."""

        def in_sync() -> bool:
            return not replicas_behind(replications(self.brokers.access, [PRODUCT_EVENTS])[1])

        began_s = time.monotonic()
        eventually(in_sync, "every replica is up to date", PATIENCE_S)
        return time.monotonic() - began_s

    def assert_nothing_is_lost(self, shop: EventBackEnd) -> None:
        """Each acknowledged event lies where it was said to, and the shards are what the log comes to."""
        assert_in_the_log(shop.acknowledged, self.brokers)
        self.system.produce({"type": "product_removed", "product_id": "host-none"})
        self.system.wait_settled()
        stream_equals_batch(self.system)


@pytest.fixture(scope="module")
def replicated(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Replicated]:
    folder = tmp_path_factory.mktemp("replicated")
    brokers = Brokers(folder, kafka_replicas=3)
    try:
        brokers.start()
        wait_for_kafka(brokers.access, 300.0)
        # Its ports are looked for once Kafka has its own. Six partitions of events: each broker leads two of them.
        system = System(folder / "home", encoder=EXTRACTOR, event_partitions=6, **brokers.client)
        try:
            system.start()
            yield Replicated(system, brokers)
        finally:
            system.stop()
    finally:
        brokers.end()


@pytest.mark.timeout(1800)
def test_brokers_are_killed_one_after_the_other_and_nothing_is_lost(replicated: Replicated) -> None:
    system, brokers = replicated.system, replicated.brokers
    _, topics = replications(brokers.access, [PRODUCT_EVENTS])
    assert topics[PRODUCT_EVENTS].replicas == 3
    assert replica_problems(system.settings) == []
    with (
        EventBackEnd(brokers.access, EXTRACTOR, system.settings.shards) as shop,
        Shopper(system.base, shop, 1) as shopper,
    ):
        replicated.lose("a broker that leads", shop, replicated.leader(0))
        replicated.lose("the controllers' leader", shop, brokers.controller())
        replicated.lose("a broker that is ended", shop, replicated.leader(1), by=signal.SIGTERM)
    replicated.assert_nothing_is_lost(shop)
    assert_answered(shopper)
    assert sum(view.searchable for view in system.shards()) == len(shop.on_sale)


@pytest.mark.timeout(1800)
def test_with_one_of_three_nothing_is_acknowledged_and_producers_are_told_so(replicated: Replicated) -> None:
    system, brokers = replicated.system, replicated.brokers
    with (
        EventBackEnd(brokers.access, EXTRACTOR, system.settings.shards, seed=2) as shop,
        Shopper(system.base, shop, 2) as shopper,
    ):
        began_s, since_ms = time.monotonic(), now_ms()
        lonely = replicated.leader(0)
        brokers.kill(*(number for number in brokers.numbers if number != lonely))
        with (
            pytest.raises(TransientError, match="too few of Kafka's brokers"),
            EventProducer(brokers.access, delivery_timeout_s=3) as producer,
        ):
            producer.send(PRODUCT_EVENTS, b"unsure", b'{"type": "product_removed", "product_id": "unsure"}', 0)
        told_s = time.monotonic()
        time.sleep(AWAY_S)
        assert not [event for event in shop.acknowledged if event.at_s > told_s]
        brokers.start()
        fresh_s = replicated.await_fresh(since_ms)
        replicated.await_in_sync()
        print(
            f"two of three: {longest_pause(shop.acknowledged, began_s):.1f} s without an acknowledged event, "
            f"fresh after {fresh_s:.1f} s"
        )
    replicated.assert_nothing_is_lost(shop)
    assert_answered(shopper)


def assert_answered(shopper: Shopper) -> None:
    print(f"{shopper.answers} answers, {shopper.partial} partial, the slowest {shopper.slowest_s:.1f} s")
    assert shopper.failures == []
    assert shopper.answers > 100
    # While three JVMs start on two cores a searcher may seem silent for a moment.
    assert shopper.partial <= shopper.answers / 50
    assert shopper.wrong == []


def longest_pause(events: list[Acknowledged], since_s: float) -> float:
    """The most seconds between two acknowledgements that follow each other, from then on."""
    times = [since_s, *(event.at_s for event in events if event.at_s > since_s)]
    return max((after - before for before, after in pairwise(times)), default=0.0)


def assert_in_the_log(events: list[Acknowledged], brokers: Brokers) -> None:
    by_partition: dict[int, dict[int, bytes]] = defaultdict(dict)
    for event in events:
        by_partition[event.partition][event.offset] = event.value
    assert len(by_partition) == 6
    for partition, wanted in by_partition.items():
        found = {message.offset: message.value for message in read_all(brokers.access, PRODUCT_EVENTS, partition)}
        assert {offset: found.get(offset) for offset in wanted} == wanted
