"""The serving processes: searchers, broker, blender, heartbeat; what they are called and how they tell they are up."""

from __future__ import annotations

import logging
from dataclasses import dataclass

import httpx

from cli.runtime.environment import part_environment
from cli.runtime.parts import Part
from cli.runtime.programs import python
from generations.folder import Generations
from schemas.access.blender import BlenderAccess
from schemas.errors import CorruptError, OperatorError
from schemas.full_index.generation import LIVE
from schemas.settings import Settings
from vision.environment import MALLOC_ENV

log = logging.getLogger(__name__)

HEARTBEAT = "heartbeat"
BROKER = "broker"
BLENDER = "blender"


@dataclass(frozen=True, slots=True)
class Service:
    """One Python process of the serving tier."""

    name: str
    arguments: tuple[str, ...]


def searcher_name(shard: int, replica: int) -> str:
    return f"searcher-{shard}-{replica}"


def searcher_shards(generations: Generations, least: int) -> int:
    """Shards that there must be searchers for: of whichever generation the alias holds that has most of them.

    `least`: those of the live index. A generation that cannot be read counts nothing here: searchers say in
    their status what is wrong with it.
    """
    most = least
    try:
        alias = generations.alias()
        for name in () if alias is None else alias.held:
            if name != LIVE:
                most = max(most, len(generations.read(name).shards))
    except (CorruptError, OperatorError, OSError) as error:
        log.warning("event=shards_unknown assumed=%d problem=%s", most, error)
    return most


def services(settings: Settings, shards: int = 0) -> list[Service]:
    """All of them, in the order in which they start; searchers of `shards` shards at least."""
    searchers = [
        Service(
            searcher_name(shard, replica),
            ("-m", "serving.searcher", "--shard", str(shard), "--replica", str(replica)),
        )
        for shard in range(max(shards, searcher_shards(Generations(settings.layout.generations), settings.shards)))
        for replica in range(settings.replicas)
    ]
    return [
        *searchers,
        Service(BROKER, ("-m", "serving.broker")),
        Service(BLENDER, ("-m", "serving.blender")),
        Service(HEARTBEAT, ("-m", "serving.heartbeat")),
    ]


def service_parts(settings: Settings, shards: int = 0) -> list[Part]:
    """The same as what the supervisor starts, see `services`."""
    plain = part_environment(settings)
    embedding = {**plain, **MALLOC_ENV}
    return [
        Part(
            name=service.name,
            command=[python(), *service.arguments],
            environment=embedding if service.name == BLENDER else plain,
        )
        for service in services(settings, shards)
    ]


def is_ready(blender: BlenderAccess) -> bool:
    """Whether `/readyz` says 200: the model is loaded and every shard has caught up."""
    try:
        answer = httpx.get(f"{blender.url}/readyz", timeout=3.0, trust_env=False, verify=blender.trust())
        return answer.status_code == 200
    except httpx.HTTPError:
        return False
