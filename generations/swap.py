"""Waiting, after the alias has moved, until the broker has changed over; or knowing that it will not."""

from __future__ import annotations

import time
from collections.abc import Callable, Collection

from generations.broker import Broker, replicas_of
from generations.life import Life, life_of
from schemas.errors import TransientError
from schemas.search_pb2 import StatusResponse

POLL_S = 0.25
SAY_EVERY_S = 10.0
BELIEVED_AFTER_S = 1.0
"""A failure told right after a move may be of an earlier try: searchers look at the alias three times a second."""

Say = Callable[[str], None]


def wait_until_serving(
    broker: Broker, name: str, shards: int, wait_s: float, say: Say, *, give_up_on_failure: bool = True
) -> str:
    """Until the broker serves `name`. Empty when it does; else why not.

    `give_up_on_failure`: at once when a searcher says that it cannot load it;
    False: another replica may, so wait on.
    """
    return _wait(
        broker, lambda status: _not_serving(status, name, shards, give_up_on_failure), f"{name} serves", wait_s, say
    )


def wait_until_held(broker: Broker, shards_of: dict[str, int], wait_s: float, say: Say) -> str:
    """Until every shard of these generations has a ready replica. Empty when it has; else why not."""

    def lacking(status: StatusResponse) -> tuple[str, bool]:
        for name, shards in shards_of.items():
            problem, final = _failure(status, name)
            problem = problem or _incomplete(status, name, shards)
            if problem:
                return problem, final
        return "", False

    return _wait(broker, lacking, f"{', '.join(shards_of)} is held", wait_s, say)


def wait_until_let_go(broker: Broker, names: Collection[str], wait_s: float, say: Say) -> str:
    """Until no searcher holds any of these generations. Empty when none does; else who still does."""

    def left(status: StatusResponse) -> tuple[str, bool]:
        held = [entry for entry in status.shards if entry.generation in names and not entry.serving]
        return "; ".join(f"searcher {e.shard}-{e.replica} still holds {e.generation}" for e in held), False

    return _wait(broker, left, f"{', '.join(names)} is let go", wait_s, say)


def _wait(
    broker: Broker, probe: Callable[[StatusResponse], tuple[str, bool]], what: str, wait_s: float, say: Say
) -> str:
    """`probe`: what is lacking ("": nothing), and whether waiting is of no use."""
    began = said = time.monotonic()
    while True:
        try:
            problem, final = probe(broker.status())
        except TransientError as error:
            problem, final = str(error), False
        now = time.monotonic()
        if not problem or (final and now - began > BELIEVED_AFTER_S):
            return problem
        if now - began > wait_s:
            return f"not within {wait_s:.0f} s: {problem}"
        if now - said > SAY_EVERY_S:
            said = now
            say(f"waiting until {what}: {problem}")
        time.sleep(POLL_S)


def _not_serving(status: StatusResponse, name: str, shards: int, give_up: bool) -> tuple[str, bool]:
    if status.serving == name:
        return "", False
    problem, final = _failure(status, name)
    if final and give_up:
        return problem, True
    return _incomplete(status, name, shards) or f"{name} is not as new yet as {status.serving}", False


def _failure(status: StatusResponse, name: str) -> tuple[str, bool]:
    for entry in status.shards:
        if entry.generation == name and life_of(entry) is Life.FAILED:
            return f"searcher {entry.shard}-{entry.replica} cannot serve {name}: {entry.error}", True
    return "", False


def _incomplete(status: StatusResponse, name: str, shards: int) -> str:
    """What each shard without a ready replica waits for; empty when all have one."""
    replicas = replicas_of(status, name)
    silent = {
        entry.shard: entry.error
        for entry in status.shards
        if entry.error and not entry.ready and (entry.generation != name)
    }
    lacking = []
    for shard in range(shards):
        entries = replicas.get(shard, [])
        if any(entry.ready for entry in entries):
            continue
        if entries:
            lacking.append(f"shard {shard} is {entries[0].error or 'not ready'}")
        else:
            why = silent.get(shard)
            lacking.append(
                f"no searcher holds shard {shard}" + (f" ({why})" if why else "") + ": vitrine start starts what lacks"
            )
    return "; ".join(lacking)
