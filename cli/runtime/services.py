"""The serving processes: searchers, broker, blender, heartbeat; what they are called and how they tell they are up."""

from __future__ import annotations

import logging
import ssl
from dataclasses import dataclass

import httpx

from cli.runtime.layout import part_environment, python
from cli.runtime.parts import Part
from generations.folder import Generations
from schemas.access.exposure import near_host
from schemas.errors import CorruptError, OperatorError
from schemas.generation import LIVE
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


def searcher_shards(settings: Settings) -> int:
    """Shards that there must be searchers for: of whichever generation the alias holds that has most of them.

    A generation that cannot be read counts nothing here: searchers say in
    their status what is wrong with it.
    """
    generations = Generations(settings.generations_folder)
    most = settings.shards
    try:
        alias = generations.alias()
        for name in () if alias is None else alias.held:
            if name != LIVE:
                most = max(most, len(generations.read(name).shards))
    except (CorruptError, OperatorError) as error:
        log.warning("event=shards_unknown assumed=%d problem=%s", most, error)
    return most


def services(settings: Settings, shards: int = 0) -> list[Service]:
    """All of them, in the order in which they start; searchers of `shards` shards at least."""
    searchers = [
        Service(
            searcher_name(shard, replica),
            ("-m", "serving.searcher", "--shard", str(shard), "--replica", str(replica)),
        )
        for shard in range(max(shards, searcher_shards(settings)))
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


def blender_address(settings: Settings) -> str:
    """Where a client on this machine finds the blender."""
    scheme = "https" if settings.tls_certificate else "http"
    return f"{scheme}://{near_host(settings)}:{settings.http_port}"


def blender_trust(settings: Settings) -> ssl.SSLContext | bool:
    """For `httpx(verify=...)`: the blender's own certificate, by whatever name it was made out."""
    if not settings.tls_certificate:
        return True
    try:
        context = ssl.create_default_context(cafile=settings.tls_certificate)
    except (OSError, ssl.SSLError) as error:
        raise OperatorError(f"tls_certificate {settings.tls_certificate} cannot be read ({error})") from error
    context.check_hostname = False  # it is reached by its loopback address
    context.verify_flags |= ssl.VERIFY_X509_PARTIAL_CHAIN  # the certificate itself, whoever signed it
    return context


def blender_ready(settings: Settings) -> bool:
    """Whether `/readyz` says 200: the model is loaded and every shard has caught up."""
    try:
        answer = httpx.get(
            f"{blender_address(settings)}/readyz", timeout=3.0, trust_env=False, verify=blender_trust(settings)
        )
        return answer.status_code == 200
    except httpx.HTTPError:
        return False
