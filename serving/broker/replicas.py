"""Where searchers are: replica r of shard s is one process, which holds that shard of every generation it has."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable, Iterator

from generations.life import Life, life_of
from schemas.errors import TransientError
from schemas.search_pb2 import ShardStatus, StatusRequest
from serving.backend import SearchBackend
from serving.broker.members import Members
from serving.guarded import Guarded
from serving.health import State

Connect = Callable[[int, int], SearchBackend]
"""The searcher of a shard and replica; must not block. The replicas own and close what it returns."""

Changed = Callable[[int, int, State], None]
"""Told of a shard and replica what the broker thinks of it now."""

BEHIND_MS = 2000
"""A replica whose watermark is older than another's by this is asked last: after a pause, say, until it caught up."""
LEAVING_S = 30.0
"""For so long a replica that left is kept for the calls that are under way."""


class Replica:
    """One searcher and what it last said; `backend` knows whether it is asked at all (`serving.health`).

    `held`: by generation, those too that it should hold and cannot.
    `problem`: why it did not answer, or knows not what to hold; else empty.
    `left`: it is no member any more, and is asked nothing new.
    """

    def __init__(self, shard: int, number: int, backend: Guarded) -> None:
        self.shard = shard
        self.number = number
        self.backend = backend
        self.held: dict[str, ShardStatus] = {}
        self.problem = ""
        self.heard = False
        self.left = False
        self._looks = 0
        self._latest = 0

    async def look(self, request: StatusRequest, timeout_s: float) -> None:
        """Asks for the status; of several looks at a time the one that began last counts."""
        self._looks += 1
        look = self._looks
        problem = ""
        held: dict[str, ShardStatus] = {}
        try:
            answer = await self.backend.status(timeout_s, request)
        except TransientError as error:
            problem = str(error)
        else:
            held = {status.generation: status for status in answer.shards if status.generation}
            problem = next((status.error for status in answer.shards if not status.generation), "")
        if look > self._latest:
            self._latest, self.heard = look, True
            self.held, self.problem = held, problem

    def is_ready(self, generation: str) -> bool:
        return (status := self.held.get(generation)) is not None and life_of(status).answers

    def has_failed(self, generation: str) -> bool:
        """Whether it says that it should hold it and cannot, other than for the moment."""
        return (status := self.held.get(generation)) is not None and life_of(status) is Life.FAILED

    def may_hold(self, generation: str) -> bool:
        """Not when it answered and did not name it, nor when it could not load any of it."""
        if (status := self.held.get(generation)) is not None:
            return status.rows > 0 or not self.has_failed(generation)
        return bool(self.problem) or not self.heard

    def watermark_ms(self, generation: str) -> int:
        """Of that generation as it last said; 0 where it did not."""
        return self.held[generation].watermark_ms if generation in self.held else 0


class Replicas:
    """All of them, by shard; more shards are connected when a generation with more of them turns up. One event loop.

    Of a shard there are those that `members` names; `follow` learns what has changed of them.
    """

    def __init__(
        self,
        connect: Connect,
        shards: int,
        members: Members,
        changed: Changed = lambda _shard, _replica, _state: None,
    ) -> None:
        self._connect = connect
        self._members = members
        self._changed = changed
        self._rows: list[list[Replica]] = []
        self._turns: list[int] = []
        self._leaving: list[tuple[float, Replica]] = []
        self.reach(shards)

    def __iter__(self) -> Iterator[Replica]:
        return (replica for row in list(self._rows) for replica in row)

    def __len__(self) -> int:
        """Shards that there are replicas for."""
        return len(self._rows)

    def reach(self, shards: int) -> list[Replica]:
        """Connects what is missing to have that many shards; returns the new replicas."""
        new = []
        for shard in range(len(self._rows), shards):
            row = [self._connected(shard, number) for number in self._members.numbers(shard)]
            self._rows.append(row)
            self._turns.append(0)
            new += row
        return new

    async def follow(self) -> None:
        """Connects who has joined, and lets go who has left."""
        self._members.look()
        now = time.monotonic()
        for shard, row in enumerate(self._rows):
            numbers = self._members.numbers(shard)
            here = {replica.number: replica for replica in row}
            for number in here.keys() - set(numbers):
                here[number].left = True
                # It is missed by nobody, silent or not.
                self._changed(shard, number, State.SERVING)
                self._leaving.append((now + LEAVING_S, here[number]))
            joined = [self._connected(shard, number) for number in numbers if number not in here]
            if joined or len(here) != len(numbers):
                self._rows[shard] = [replica for replica in row if not replica.left] + joined
        gone = [replica for until, replica in self._leaving if until <= now]
        self._leaving = [(until, replica) for until, replica in self._leaving if until > now]
        await asyncio.gather(*(replica.backend.close() for replica in gone))

    async def close(self) -> None:
        """Also of those that are leaving."""
        await asyncio.gather(*(replica.backend.close() for replica in [*self, *(each for _, each in self._leaving)]))

    def of(self, shard: int) -> list[Replica]:
        return self._rows[shard]

    def in_turn(self, shard: int, generation: str) -> Iterator[Replica]:
        """The replicas of the shard that may be asked, once each, beginning with another one each time.

        Ejected ones are left out. Those not known to have the generation,
        behind another in it, or suspect come last.
        """
        row = self._rows[shard]
        if not row:
            return iter(())
        first = self._turns[shard] % len(row)
        self._turns[shard] = first + 1
        order = [row[(first + step) % len(row)] for step in range(len(row))]
        latest_ms = max(replica.watermark_ms(generation) for replica in row)
        able = [replica for replica in order if replica.backend.state is not State.EJECTED]
        return iter(
            sorted(
                able,
                key=lambda replica: (
                    not replica.is_ready(generation),
                    replica.watermark_ms(generation) < latest_ms - BEHIND_MS,
                    replica.backend.state is State.SUSPECT,
                ),
            )
        )

    def _connected(self, shard: int, number: int) -> Replica:
        name = f"searcher {shard}-{number}"

        def changed(state: State) -> None:
            if not replica.left:  # else another of that number may be back
                self._changed(shard, number, state)

        replica = Replica(shard, number, Guarded(self._connect(shard, number), name, changed=changed))
        return replica
