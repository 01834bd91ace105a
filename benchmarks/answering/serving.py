"""Benchmark `serving`: what queries feel of the loss of a searcher, a broker and a blender, at half of full load.

Two shards of two replicas, two brokers, two blenders behind HAProxy, over real Kafka; vectors over HTTP to the
balancer. Full load is what a closed loop gets out of it first. Then half of that is sent at fixed moments, and of each
kind one process after the other is killed (SIGKILL), left dead for a while, and started again. Latencies, counted from
when a query was due, are of those due

- `before`: all is well;
- `loss`: the first two seconds after the kill;
- `dead`: from then on, one of the two is missing;
- `coming`: from its start until it serves (on two cores its start takes the processor from the others);
- `after`: from then on.

At last a blender is told to stop (SIGTERM), which it says at /readyz and answers on meanwhile: `drained`.

With `--soak MINUTES` instead: every minute one process, drawn by `--seed`, is killed, hung for ten seconds (SIGSTOP) or
told to stop, and started again or let go on; what counts is the share of queries that were answered whole, and in time.
"""

from __future__ import annotations

import argparse
import random
import time
from collections import Counter
from collections.abc import Sequence
from contextlib import ExitStack
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np

from benchmarks.answering.hung import send
from benchmarks.harness.balanced import BALANCER, HAPROXY, BalancedTier
from benchmarks.harness.result import write_result
from benchmarks.harness.system import bench_settings, temporary_home
from benchmarks.load.drawn import drawn_features
from benchmarks.load.http import HttpLoad, post
from benchmarks.load.paced import PacedLoad, Sent
from cli.runtime.environment import settings_environment
from cli.runtime.progress import Progress
from cli.runtime.system import System
from schemas.errors import OperatorError
from schemas.settings import Settings

FIRST_PORT = 18_900
SHARDS, REPLICAS = 2, 2
LIMIT = 10
CONNECTIONS = 16
VICTIMS = {"searcher": "searcher-0-0", "broker": "broker-0", "blender": "blender-0"}
LOSS_S = 2.0


def felt(sent: Sent, began: float, ended: float) -> dict[str, float]:
    """Of what was due in between: count, failures, answers that lack a shard, percentiles."""
    inside = sent[(sent[:, 0] >= began) & (sent[:, 0] < ended)]
    if not len(inside):
        return {"queries": 0, "failed": 0}
    p50, p99 = np.percentile(inside[:, 1] * 1000, [50, 99]).tolist()
    return {
        "seconds": round(ended - began, 2),
        "queries": len(inside),
        "failed": int(inside[:, 2].sum()),
        "partial": int(inside[:, 3].sum()),
        "p50_ms": round(p50, 2),
        "p99_ms": round(p99, 2),
        "max_ms": round(float(inside[:, 1].max()) * 1000, 2),
    }


def loss(tier: BalancedTier, name: str, load: PacedLoad, seconds: float) -> dict[str, Any]:
    """One process is killed, missed and started again."""
    load.taken()
    began = time.time()
    time.sleep(seconds)
    killed = time.time()
    tier.kill(name)
    time.sleep(LOSS_S + seconds)
    started = time.time()
    tier.start(name)
    tier.await_whole()
    back = time.time()
    time.sleep(seconds)
    ended = time.time()
    time.sleep(1.0)
    sent = load.taken()
    moments = [began, killed, killed + LOSS_S, started, back, ended]
    names = ("before", "loss", "dead", "coming", "after")
    figures: dict[str, Any] = {each: felt(sent, *window) for each, window in zip(names, pairwise(moments), strict=True)}
    return {**figures, "failed": int(sent[:, 2].sum()), "back_after_s": round(back - started, 1)}


def drained(tier: BalancedTier, name: str, load: PacedLoad) -> dict[str, float]:
    load.taken()
    began = time.time()
    tier.terminate(name)
    time.sleep(1.0)
    ended = time.time()
    tier.start(name)
    tier.await_whole()
    return felt(load.taken(), began, ended)


def soaked(tier: BalancedTier, load: PacedLoad, minutes: int, seed: int, progress: Progress) -> dict[str, Any]:
    """A fault a minute. An answer in time is one within a second of when it was due."""
    chance = random.Random(seed)
    victims = [name for name in tier.names if name != BALANCER]
    faults: Counter[str] = Counter()
    parts: list[Sent] = []
    load.taken()
    began = time.time()
    for minute in range(minutes):
        until = time.monotonic() + 60.0
        victim, fault = chance.choice(victims), chance.choice(("killed", "hung", "stopped"))
        faults[f"{victim.partition('-')[0]} {fault}"] += 1
        with progress.step(f"minute {minute + 1} of {minutes}: {victim} is {fault}"):
            time.sleep(5.0)
            if fault == "hung":
                with tier.hung(victim):
                    time.sleep(10.0)
            else:
                end = tier.kill if fault == "killed" else tier.terminate
                end(victim)
                time.sleep(10.0)
                tier.start(victim)
            tier.await_whole()
            time.sleep(max(0.0, until - time.monotonic()))
        parts.append(load.taken())
    sent = np.concatenate(parts)
    good = (sent[:, 2] == 0) & (sent[:, 3] == 0)
    return {
        "minutes": minutes,
        "faults": dict(sorted(faults.items())),
        **felt(sent, began, time.time()),
        "answered_whole": round(float(good.mean()), 6),
        "within_a_second": round(float((good & (sent[:, 1] < 1.0)).mean()), 6),
    }


def measure(home: Path, arguments: argparse.Namespace, progress: Progress) -> dict[str, Any]:
    settings = bench_settings(
        home,
        arguments.first_port + 20,
        shards=SHARDS,
        replicas=REPLICAS,
        snapshot_interval_s=3600.0,
        encoder=arguments.encoder,
    )
    drawn = drawn_features(settings)
    with ExitStack() as stack:
        runtime = System(settings, progress)
        stack.callback(runtime.stop)
        runtime.start_kafka()
        send(settings, drawn, arguments.images)
        tier = BalancedTier(home, settings_environment(settings), arguments.first_port, SHARDS, REPLICAS)
        stack.callback(tier.stop)
        with progress.step(f"two of each take {arguments.images} images"):
            tier.start()
            tier.await_whole()
        path = f"/v1/search/vector?limit={LIMIT}"
        queries = drawn.queries(1000).astype("<f4")
        requests = [post(path, "application/octet-stream", query.tobytes()) for query in queries]
        full = HttpLoad(tier.port, requests)
        stack.callback(full.close)
        with progress.step("full load"):
            full.run(CONNECTIONS, 3.0)
            most = full.run(CONNECTIONS, arguments.seconds).figures()
        half = (arguments.queries or most["queries_per_s"]) / 2
        figures: dict[str, Any] = {"full_load": most, "queries_per_s": round(half, 1)}
        load = stack.enter_context(PacedLoad(tier.port, requests, half, CONNECTIONS))
        if arguments.soak:
            return {**figures, "soak": soaked(tier, load, arguments.soak, arguments.seed, progress)}
        for kind, name in VICTIMS.items():
            with progress.step(f"a {kind} is killed, and comes back"):
                figures[kind] = loss(tier, name, load, arguments.seconds)
        with progress.step("a blender is told to stop"):
            figures["drained"] = drained(tier, "blender-1", load)
    return figures


def main(argv: Sequence[str] | None = None) -> int:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.answering.serving", description=__doc__)
    parser.add_argument("--images", type=int, default=20_000)
    parser.add_argument("--seconds", type=float, default=8.0, help="of each phase that lasts")
    parser.add_argument("--queries", type=float, default=0.0, help="a second that are full load; default: measured")
    parser.add_argument("--soak", type=int, default=0, metavar="MINUTES", help="a fault a minute for so long instead")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--encoder", default=Settings().encoder, help="by name")
    parser.add_argument("--first-port", type=int, default=FIRST_PORT)
    parser.add_argument("--name", default="serving", help="name of the result file")
    arguments = parser.parse_args(argv)
    if HAPROXY is None:
        raise OperatorError("no haproxy on this machine: make tools installs it (as root on Debian)")
    with temporary_home() as home:
        figures = measure(home, arguments, Progress())
    write_result(arguments.name, {**vars(arguments), "shards": SHARDS, "replicas": REPLICAS, "limit": LIMIT}, figures)
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
