"""Benchmark `tail`: how long answers take at the slow end, by shards, replicas and hedged requests. A simulation.

Queries come at random (Poisson), each to one replica of every shard, and are
answered when the last shard has answered. A replica works on so many calls at
a time as it has search threads, first come, first served; how long a call
takes is drawn from times that were measured here, on a real shard. Now and
then a replica stands still for a moment, as one does that loads a generation
or shares its processor. What the broker does, its own `Patience` decides: when
a replica is waited for no longer and one other is asked too (Dean and Barroso,
"The Tail at Scale", CACM 2013); of two answers the first counts, and a call
that still waits for its turn is given up.
"""

from __future__ import annotations

import argparse
import heapq
import time
from collections import deque
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from itertools import count

import numpy as np
from numpy.typing import NDArray

from benchmarks.harness.result import write_result
from benchmarks.index.shard import EXTRACTOR, Catalogue
from indexing.shard.shard import Shard
from serving.hedging import Patience

LIMIT = 20
HEDGE_AFTER_S = 0.2


@dataclass(frozen=True, slots=True)
class Tier:
    """What is simulated. `utilisation`: of the replicas' threads, by the mean service time and without hedging.

    `stall_every_s`, `stall_s`: how often a replica stands still, and for how long.
    """

    shards: int
    replicas: int
    utilisation: float
    hedged: bool
    threads: int = 2
    stall_every_s: float = 30.0
    stall_s: float = 0.1


@dataclass(slots=True)
class _Call:
    """A query's part that one replica was asked for."""

    query: int
    shard: int
    sent_at: float


@dataclass(slots=True)
class _Replica:
    threads: int
    busy: int = 0
    stalled_until: float = 0.0
    waiting: deque[_Call] = field(default_factory=deque)


@dataclass(slots=True)
class _Query:
    began: float
    open_shards: int
    answered: set[int] = field(default_factory=set)


class Simulation:
    """One run; `run` gives the queries' latencies in seconds, those of the first tenth left out."""

    def __init__(self, tier: Tier, service_s: NDArray[np.float64], seed: int) -> None:
        self._tier = tier
        self._service_s = service_s
        self._random = np.random.default_rng(seed)
        self._events: list[tuple[float, int, Callable[[float], None]]] = []
        self._ticket = count()
        self._replicas = [[_Replica(tier.threads) for _ in range(tier.replicas)] for _ in range(tier.shards)]
        self._turn = [0] * tier.shards
        self._queries: dict[int, _Query] = {}
        self._patience = Patience(HEDGE_AFTER_S)
        self._latencies: list[float] = []
        self._left = 0
        self.second_tries = 0

    def run(self, queries: int) -> NDArray[np.float64]:
        tier = self._tier
        capacity = tier.replicas * tier.threads / float(self._service_s.mean())
        self._rate = tier.utilisation * capacity
        self._left = queries
        self._at(0.0, self._arrive)
        if tier.stall_s:
            for replicas in self._replicas:
                for replica in replicas:
                    self._plan_stall(0.0, replica)
        while len(self._latencies) < queries:
            moment, _, happens = heapq.heappop(self._events)
            happens(moment)
        return np.array(self._latencies[queries // 10 :])

    def _at(self, moment: float, happens: Callable[[float], None]) -> None:
        heapq.heappush(self._events, (moment, next(self._ticket), happens))

    def _arrive(self, now: float) -> None:
        number = self._left
        self._left -= 1
        self._queries[number] = _Query(now, self._tier.shards)
        for shard in range(self._tier.shards):
            self._turn[shard] += 1
            self._ask(now, number, shard, self._turn[shard])
        if self._left:
            self._at(now + float(self._random.exponential(1 / self._rate)), self._arrive)

    def _ask(self, now: float, number: int, shard: int, turn: int) -> None:
        replicas = self._replicas[shard]
        self._send(now, replicas[turn % len(replicas)], _Call(number, shard, now))
        if self._tier.hedged and len(replicas) > 1:

            def lose_patience(moment: float) -> None:
                query = self._queries.get(number)
                if query is not None and shard not in query.answered:
                    self.second_tries += 1
                    self._send(moment, replicas[(turn + 1) % len(replicas)], _Call(number, shard, moment))

            self._at(now + self._patience.seconds, lose_patience)

    def _send(self, now: float, replica: _Replica, call: _Call) -> None:
        replica.waiting.append(call)
        self._work(now, replica)

    def _work(self, now: float, replica: _Replica) -> None:
        while replica.waiting and replica.busy < replica.threads and now >= replica.stalled_until:
            call = replica.waiting.popleft()
            query = self._queries.get(call.query)
            if query is None or call.shard in query.answered:
                continue  # the other replica was first: cancelled before its turn
            replica.busy += 1
            took = float(self._random.choice(self._service_s))
            self._at(now + took, self._ending(replica, call))

    def _ending(self, replica: _Replica, call: _Call) -> Callable[[float], None]:
        def end(now: float) -> None:
            if now < replica.stalled_until:
                self._at(replica.stalled_until, end)
                return
            replica.busy -= 1
            self._answer(now, call)
            self._work(now, replica)

        return end

    def _answer(self, now: float, call: _Call) -> None:
        self._patience.note(now - call.sent_at)
        query = self._queries.get(call.query)
        if query is None or call.shard in query.answered:
            return
        query.answered.add(call.shard)
        query.open_shards -= 1
        if not query.open_shards:
            del self._queries[call.query]
            self._latencies.append(now - query.began)

    def _plan_stall(self, now: float, replica: _Replica) -> None:
        begins = now + float(self._random.exponential(self._tier.stall_every_s))

        def stall(moment: float) -> None:
            replica.stalled_until = moment + self._tier.stall_s
            self._at(replica.stalled_until, lambda later: self._work(later, replica))
            self._plan_stall(moment, replica)

        self._at(begins, stall)


def measured_service_s(images: int, dimension: int, calls: int, seed: int) -> NDArray[np.float64]:
    """Seconds of single searches in a trained shard, one after the other."""
    catalogue = Catalogue(dimension, seed)
    shard = Shard(EXTRACTOR, dimension)
    for start in range(0, images, 1000):
        numbers = range(start, min(start + 1000, images))
        shard.apply(catalogue.batch(numbers, vectors=catalogue.vectors(len(numbers))))
    shard.train(seed=seed)
    queries = catalogue.vectors(calls)
    took = np.empty(calls)
    for number in range(calls):
        began = time.perf_counter()
        shard.search(queries[number : number + 1], LIMIT)
        took[number] = time.perf_counter() - began
    return took


def percentiles_ms(latencies: NDArray[np.float64]) -> dict[str, float]:
    return {f"p{q:g}_ms": round(1000 * float(np.percentile(latencies, q)), 2) for q in (50, 99, 99.9)}


def main(argv: Sequence[str] | None = None) -> int:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.answering.tail", description=__doc__)
    parser.add_argument("--images", type=int, default=50_000, help="of the shard whose searches are timed")
    parser.add_argument("--dimension", type=int, default=768)
    parser.add_argument("--calls", type=int, default=2000, help="searches that are timed")
    parser.add_argument("--queries", type=int, default=10_000, help="of each simulation")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--name", default="tail", help="name of the result file")
    arguments = parser.parse_args(argv)
    service_s = measured_service_s(arguments.images, arguments.dimension, arguments.calls, arguments.seed)
    runs = []
    for shards in (2, 16, 64):
        for replicas in (1, 2, 3):
            for utilisation in (0.3, 0.6):
                for hedged in (False, True) if replicas > 1 else (False,):
                    simulation = Simulation(Tier(shards, replicas, utilisation, hedged), service_s, arguments.seed)
                    found = percentiles_ms(simulation.run(arguments.queries))
                    again = simulation.second_tries / (arguments.queries * shards)
                    runs.append(
                        {"shards": shards, "replicas": replicas, "utilisation": utilisation, "hedged": hedged}
                        | found
                        | {"second_tries_share": round(again, 4)}
                    )
    figures = {
        "service": percentiles_ms(service_s) | {"mean_ms": round(1000 * float(service_s.mean()), 3)},
        "runs": runs,
    }
    write_result(arguments.name, vars(arguments), figures)
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
