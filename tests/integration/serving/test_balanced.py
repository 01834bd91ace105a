"""Several blenders behind HAProxy, several brokers, replicas: any one of them may die, drain or join under traffic.

Real processes over a real Kafka, with the configuration that docker/haproxy has.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator

import httpx
import pytest

from benchmarks.harness.balanced import DRAIN_S, HAPROXY, BalancedTier
from schemas.deltas.delta import DeltaBatch, Progress
from schemas.ids import sequence, shard_of_product
from tests.integration.serving.test_hung import EXTRACTOR, vector
from tests.integration.serving.test_processes import ENCODER, eventually, send
from tests.ports import free_block
from tests.support.serving.world import WATERMARK_MS, listed

pytestmark = [
    pytest.mark.integration,
    pytest.mark.drill,
    pytest.mark.skipif(HAPROXY is None, reason="no haproxy on this machine; make tools installs it"),
]
PRODUCTS = {f"balanced{n}" for n in range(6)}


SHARDS, REPLICAS = 1, 2


@pytest.fixture(scope="module")
def tier(kafka_broker: str, tmp_path_factory: pytest.TempPathFactory) -> Iterator[BalancedTier]:
    progress = [Progress(partition, 2, sequence(1, 1), WATERMARK_MS) for partition in range(2)]
    deltas = {partition: DeltaBatch(extractor_id=EXTRACTOR, progress=list(progress)) for partition in range(2)}
    for number, product in enumerate(sorted(PRODUCTS)):
        listed(deltas[shard_of_product(product, 2)], product, [vector(number)])
    send(kafka_broker, deltas)
    settings = {
        "VITRINE_KAFKA_BOOTSTRAP": kafka_broker,
        "VITRINE_EVENT_PARTITIONS": "2",
        "VITRINE_DELTA_PARTITIONS": "2",
        "VITRINE_ENCODER": ENCODER,
    }
    first_port = free_block(BalancedTier.ports(SHARDS, REPLICAS))
    running = BalancedTier(tmp_path_factory.mktemp("balanced"), settings, first_port, SHARDS, REPLICAS)
    try:
        running.start()
        running.await_whole()
        yield running
    finally:
        running.stop()


class Traffic:
    """`with Traffic(tier)`: queries through the balancer, one after the other; `failures` must stay empty."""

    def __init__(self, tier: BalancedTier) -> None:
        self._url = tier.url
        self._over = threading.Event()
        self._thread = threading.Thread(target=self._ask)
        self.answers = 0
        self.failures: list[str] = []

    def __enter__(self) -> Traffic:
        self._thread.start()
        self.some()
        return self

    def __exit__(self, *_: object) -> None:
        self._over.set()
        self._thread.join()

    def some(self, number: int = 20) -> None:
        """Waits for so many more answers."""
        until = self.answers + number
        eventually(lambda: self.answers >= until or bool(self.failures), f"{number} answers")

    def _ask(self) -> None:
        with httpx.Client(base_url=self._url, timeout=30) as client:
            while not self._over.is_set():
                try:
                    answer = client.post("/v1/search/vector?limit=100", json={"vector": vector(0).tolist()})
                    body = answer.json()
                except (httpx.HTTPError, ValueError) as error:
                    self.failures.append(repr(error))
                    continue
                found = {result["product_id"] for result in body.get("results", ())}
                if answer.status_code != 200 or body["partial"] or not found >= PRODUCTS:
                    self.failures.append(answer.text[:300])
                self.answers += 1
                time.sleep(0.01)


@pytest.mark.parametrize("name", ["blender-1", "broker-0", "searcher-0-1"])
def test_death_of_any_one_costs_no_answer(tier: BalancedTier, name: str) -> None:
    with Traffic(tier) as traffic:
        tier.kill(name)
        traffic.some(100)
        tier.start(name)
        tier.await_whole()
        traffic.some()
    assert traffic.failures == []


def test_blender_that_is_stopped_hands_over_and_answers_what_it_has(tier: BalancedTier) -> None:
    with Traffic(tier) as traffic:
        began = time.monotonic()
        assert tier.terminate("blender-0") == 0
        assert time.monotonic() - began >= DRAIN_S
        assert "event=draining" in tier.log("blender-0")
        traffic.some()
        tier.start("blender-0")
        tier.await_whole()
        traffic.some()
    assert traffic.failures == []


def test_replica_that_leaves_and_joins_by_the_file_costs_no_answer(tier: BalancedTier) -> None:
    first, second = tier.searchers[0]
    with Traffic(tier) as traffic:
        tier.list_searchers([[second]])

        def one() -> bool:
            shown = [httpx.get(f"{url}/v1/index").json()["shards"] for url in tier.blender_urls * 2]
            return all(len(entries) == 1 for entries in shown)

        eventually(one, "no broker knows the one that left")
        assert tier.terminate("searcher-0-0") == 0
        traffic.some()
        tier.start("searcher-0-0")
        tier.list_searchers([[first, second]])
        tier.await_whole()
        traffic.some()
    assert traffic.failures == []


def test_nothing_ready_is_answered_by_whoever_is_alive(tier: BalancedTier) -> None:
    for name in ("searcher-0-0", "searcher-0-1"):
        tier.kill(name)
    try:
        eventually(
            lambda: all(httpx.get(f"{url}/readyz").status_code == 503 for url in tier.blender_urls), "none is ready"
        )
        time.sleep(2.0)  # two checks of the balancer's
        answer = httpx.post(f"{tier.url}/v1/search/vector", json={"vector": vector(0).tolist()}, timeout=30)
        assert (answer.status_code, answer.json()["error"]["reason"]) == (503, "not_ready")
    finally:
        tier.start("searcher-0-0", "searcher-0-1")
        tier.await_whole()
