"""The simulation of tails against queues whose waiting times are known."""

from __future__ import annotations

import numpy as np
import pytest

from benchmarks.answering.tail import Simulation, Tier


def test_one_server_waits_as_an_m_m_1_queue_does() -> None:
    service_s = np.random.default_rng(1).exponential(0.01, 200_000)
    tier = Tier(shards=1, replicas=1, utilisation=0.5, hedged=False, threads=1, stall_s=0.0)
    latencies = Simulation(tier, service_s, seed=2).run(40_000)
    assert latencies.mean() == pytest.approx(0.01 / (1 - 0.5), rel=0.05)
    assert np.percentile(latencies, 99) == pytest.approx(0.02 * np.log(100), rel=0.1)


def test_an_answer_of_many_shards_takes_as_long_as_the_slowest() -> None:
    service_s = np.random.default_rng(1).exponential(0.01, 200_000)
    tier = Tier(shards=10, replicas=1, utilisation=0.01, hedged=False, threads=1, stall_s=0.0)
    latencies = Simulation(tier, service_s, seed=2).run(5_000)
    assert latencies.mean() == pytest.approx(0.01 * sum(1 / n for n in range(1, 11)), rel=0.05)


def test_hedging_takes_stalls_off_the_tail_for_few_second_tries() -> None:
    service_s = np.full(10, 0.002)
    found = {}
    for hedged in (False, True):
        simulation = Simulation(Tier(8, 2, 0.3, hedged, stall_every_s=20.0, stall_s=0.2), service_s, seed=3)
        found[hedged] = np.percentile(simulation.run(8_000), 99)
        tries = simulation.second_tries / (8_000 * 8)
    assert found[False] > 0.1
    assert found[True] < 0.05
    assert 0 < tries < 0.1
