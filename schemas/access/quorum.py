"""The brokers of a Kafka that is ours and lies on several machines, and which of them this machine runs.

`VITRINE_KAFKA_BOOTSTRAP=a.example:9092,b.example:9092,c.example:9092` lists them alike on all machines, and
`VITRINE_KAFKA_NODE=2` says that this machine runs the second of them. Each is a controller as well, which the
others reach at the port after its own: a quorum whose voters are that list (KRaft, KIP-595).
"""

from __future__ import annotations

import base64
import re
from collections.abc import Sequence
from dataclasses import dataclass
from hashlib import blake2b

from schemas.access.hosts import is_loopback
from schemas.access.kafka import KafkaAccess
from schemas.errors import OperatorError

_ADDRESS = re.compile(r"(\[[0-9A-Fa-f:.]+\]|[\w.-]+):(\d{1,5})", re.ASCII)
_CLUSTER = re.compile(r"[A-Za-z0-9_-]{22}")
_MOST_REPLICAS = 3
"""Of what nobody says otherwise: one may die while another is away on purpose."""


@dataclass(frozen=True, slots=True)
class KafkaNode:
    """`nodes`: host and port of every broker; `number`: of this one, from 1. `binds`: the address that it listens at.

    `cluster`: the id that all of them share. `joins`: that Kafka was there before it had these brokers.
    """

    number: int
    nodes: tuple[tuple[str, int], ...]
    binds: str
    cluster: str = ""
    joins: bool = False

    @property
    def port(self) -> int:
        return self.nodes[self.number - 1][1]

    @property
    def address(self) -> str:
        """At which clients and the other brokers reach it."""
        host, port = self.nodes[self.number - 1]
        return f"{host}:{port}"

    @property
    def voters(self) -> str:
        """As `controller.quorum.voters` wants them."""
        return ",".join(f"{number}@{host}:{port + 1}" for number, (host, port) in enumerate(self.nodes, 1))

    @property
    def replicas(self) -> int:
        """Of a topic that nobody says more about."""
        return min(_MOST_REPLICAS, len(self.nodes))


def kafka_node(number: int, kafka: KafkaAccess, *, binds: str, cluster: str) -> KafkaNode | None:
    """None where `number` is 0. Raises `OperatorError` for settings that make no Kafka of several brokers."""
    if number == 0:
        return None
    listed = [part.strip() for part in kafka.addresses.split(",")]
    found = [_ADDRESS.fullmatch(part) for part in listed]
    if wrong := [part for part, each in zip(listed, found, strict=True) if each is None or int(each[2]) > 65534]:
        raise OperatorError(
            f"setting kafka_bootstrap: {wrong[0]!r} is no host:port; with kafka_node it lists every broker, like "
            "a.example:9092,b.example:9092"
        )
    nodes = tuple((each[1], int(each[2])) for each in found if each is not None)
    if number > len(nodes) or len({*nodes}) < len(nodes):
        raise OperatorError(
            f"setting kafka_node: {number} is not one of Kafka's {len({*nodes})} brokers; list every broker once in "
            "kafka_bootstrap, alike on all machines, and number them by their places there"
        )
    if is_loopback(binds) and not is_loopback(nodes[number - 1][0]):
        raise OperatorError(
            f"Kafka's other brokers cannot reach this one at {binds}: set VITRINE_HOST to the address that "
            f"{nodes[number - 1][0]} in kafka_bootstrap means"
        )
    if kafka.authenticated:
        raise OperatorError(
            "kafka_security_protocol: Kafka's brokers that run here know each other and their clients by certificates, "
            "not by passwords; set it to SSL, or leave kafka_node out where a Kafka of your own asks for a password"
        )
    if cluster and not _CLUSTER.fullmatch(cluster):
        raise OperatorError(
            f"setting kafka_cluster: {cluster!r} is no id of a Kafka; it is the cluster.id in "
            "kafka/data/meta.properties of the machine that had it first"
        )
    inside = f"[{binds}]" if ":" in binds else binds
    return KafkaNode(number, nodes, inside, cluster or _made_together(listed), joins=bool(cluster))


def _made_together(addresses: Sequence[str]) -> str:
    digest = blake2b(",".join(addresses).encode(), digest_size=16).digest()
    return base64.urlsafe_b64encode(digest).decode().rstrip("=")
