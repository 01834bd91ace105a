"""Which generations there are, how complete each is, and which serves. Pure functions over what replicas said."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from generations.life import life_of
from schemas.full_index.generation import LIVE
from schemas.search_pb2 import ShardStatus
from serving.broker.replicas import Replica


@dataclass(frozen=True, slots=True)
class Coverage:
    """A generation that some replica holds. `ready`: its shards of which a replica answers queries.

    `extractor_id`: empty where no replica could load any of it.
    `watermark_ms`: the least of all ready replicas; 0 where one does not know it, or a shard is not ready.
    """

    name: str
    extractor_id: str
    shards: int
    ready: frozenset[int]
    watermark_ms: int

    @property
    def complete(self) -> bool:
        return len(self.ready) == self.shards

    def fits(self, extractor_id: str) -> bool:
        """Whether vectors of that extractor ("": not said) may be asked with, as far as is known."""
        return extractor_id in ("", self.extractor_id) or not self.extractor_id

    @property
    def part(self) -> float:
        """Of the shards, those that answer."""
        return len(self.ready) / self.shards

    @property
    def age(self) -> tuple[bool, str]:
        """Sorts generations, oldest first: the index that grew without a full one comes before all others."""
        return self.name != LIVE, self.name


def table(replicas: Iterable[Replica], shards: int) -> dict[str, Coverage]:
    """By name; `shards`: of a generation that no searcher could load, so that none says how many it has."""
    entries: dict[str, list[ShardStatus]] = defaultdict(list)
    for replica in replicas:
        for name, status in replica.held.items():
            entries[name].append(status)
    return {name: _held(name, statuses, shards) for name, statuses in entries.items()}


def _held(name: str, statuses: list[ShardStatus], shards: int) -> Coverage:
    said = max(status.shards for status in statuses)
    number = max(said or shards, *(status.shard + 1 for status in statuses))
    able = [status for status in statuses if life_of(status).answers]
    ready = frozenset(status.shard for status in able)
    least = min((status.watermark_ms for status in able), default=0) if len(ready) == number else 0
    extractor = next((status.extractor_id for status in statuses if status.extractor_id), "")
    return Coverage(name, extractor, number, ready, least)


def choose_serving(wanted: str, present: str, held: Mapping[str, Coverage], slack_ms: int) -> str:
    """The generation that queries go to from now on.

    `wanted` (by the alias) once it is complete and its watermark is at most
    `slack_ms` behind that of `present`, which is what served until now; so
    long `present`, also when it has lost a shard. With neither (at the start,
    when `present` is empty, or when all its searchers are gone) the most
    complete one. Empty when nothing is held at all.
    """
    new, old = held.get(wanted), held.get(present)
    if new is not None and new.complete and not _is_behind(new, old, slack_ms):
        return wanted
    if old is not None and old.ready:
        return present
    if not any(each.ready for each in held.values()) and present:
        return present
    best = max(held.values(), key=lambda each: (each.part, each.name == wanted, each.age), default=None)
    return best.name if best is not None else ""


def _is_behind(new: Coverage, old: Coverage | None, slack_ms: int) -> bool:
    """Whether answers would become older by the change. A generation that is incomplete has nothing to wait for."""
    if old is None or old is new or not old.complete:
        return False
    return new.watermark_ms < old.watermark_ms - slack_ms


def of_extractor(extractor_id: str, held: Mapping[str, Coverage], served: str) -> Coverage | None:
    """Where queries of an extractor go that the serving generation is not of.

    The latest that is complete, `served` (what served before) first; where
    none is, the most complete one; None when no shard of any answers.
    """
    able = [each for each in held.values() if each.extractor_id == extractor_id and each.ready]
    return max(able, key=lambda each: (each.part, each.name == served, each.age), default=None)
