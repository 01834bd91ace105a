"""The broker's Prometheus metrics."""

from __future__ import annotations

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram

from serving.exposition import SECONDS
from serving.health import State


class BrokerMetrics:
    """One registry per broker, so that several can live in one process."""

    def __init__(self) -> None:
        self.registry = CollectorRegistry()
        r = self.registry
        self.search_seconds = Histogram(
            "vitrine_broker_search_seconds", "All shards asked and merged", buckets=SECONDS, registry=r
        )
        self.missing_shards = Counter(
            "vitrine_broker_missing_shards", "Answers without this shard", ["shard"], registry=r
        )
        self.second_tries = Counter(
            "vitrine_broker_second_tries", "Replicas that failed or were slow", ["why"], registry=r
        )
        self.swaps = Counter("vitrine_broker_swaps", "Changes of the generation that serves", registry=r)
        self.asked_again = Counter(
            "vitrine_broker_asked_again",
            "Answers that a swap would have made older than those before",
            registry=r,
        )
        self.ejected = Gauge(
            "vitrine_broker_replica_ejected", "1 while a replica is put aside, silent", ["shard", "replica"], registry=r
        )
        self.ejections = Counter(
            "vitrine_broker_ejections", "Times that a silent replica was put aside", ["shard", "replica"], registry=r
        )

    def replica_is(self, shard: int, replica: int, state: State) -> None:
        """What the broker thinks of a replica from now on."""
        labels = str(shard), str(replica)
        self.ejected.labels(*labels).set(state is State.EJECTED)
        if state is State.EJECTED:
            self.ejections.labels(*labels).inc()
