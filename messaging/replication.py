"""How many brokers have each topic, how many of them are up to date, and which are to have it."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from confluent_kafka import KafkaException

from messaging.admin import admin_client
from schemas.access.kafka import Kafka
from schemas.errors import OperatorError, TransientError

INTERNAL = ("__consumer_offsets", "__transaction_state", "__share_group_state")
"""Topics of Kafka's own, those that there are: consumer groups' positions among them."""


@dataclass(frozen=True, slots=True)
class Replication:
    """`assigned[p]`: ids of the brokers that have partition p, its first leader first; `in_sync[p]`: of those up to
    date, empty where nobody leads it."""

    assigned: tuple[tuple[int, ...], ...]
    in_sync: tuple[tuple[int, ...], ...]

    @property
    def replicas(self) -> int:
        """Of the partition that has the fewest."""
        return min(map(len, self.assigned))

    @property
    def behind(self) -> int:
        """Partitions of which a replica is away, or not up to date."""
        return sum(len(there) < len(wanted) for wanted, there in zip(self.assigned, self.in_sync, strict=True))


def replications(kafka: Kafka, names: Iterable[str]) -> tuple[list[int], dict[str, Replication]]:
    """Ids of the brokers that answer, and of those topics that exist how they lie.

    Raises `TransientError` when no broker answers.
    """
    try:
        cluster = admin_client(kafka).list_topics(timeout=10)
    except KafkaException as error:
        raise TransientError("kafka_unavailable", f"{kafka}: {error}") from error
    found = {name: _replication(cluster.topics[name].partitions) for name in names if name in cluster.topics}
    return sorted(cluster.brokers), found


def too_few_replicas(found: Mapping[str, Replication], wanted: int) -> list[str]:
    """A line where topics have fewer than `wanted`, with the next step."""
    thin = [name for name, topic in found.items() if topic.replicas < wanted]
    if not thin:
        return []
    fewest = min(found[name].replicas for name in thin)
    return [
        f"{', '.join(thin)}: {fewest} replica{'s' if fewest > 1 else ''}, and kafka_replicas says {wanted}: "
        "vitrine replicate brings them to further brokers of Kafka's"
    ]


def replicas_behind(found: Mapping[str, Replication]) -> list[str]:
    """A line where replicas are away or not up to date, with the next step."""
    behind = sum(topic.behind for topic in found.values())
    if not behind:
        return []
    return [
        f"{behind} of {sum(len(topic.assigned) for topic in found.values())} partitions lack a replica that is up to "
        "date: a broker of Kafka's is away, or catches up; start it where it does not run (vitrine part kafka)"
    ]


def further_replicas(
    found: Mapping[str, Replication], brokers: Sequence[int], wanted: int
) -> dict[str, list[list[int]]]:
    """For each topic with fewer, by partition: who has it stays, others come, and leading goes round among all.

    Raises `OperatorError` where there are fewer brokers than replicas wanted.
    """
    if len(brokers) < wanted:
        raise OperatorError(
            f"kafka_replicas says {wanted}, and {len(brokers)} of Kafka's brokers answer "
            f"({', '.join(map(str, brokers))}): start the others, or set VITRINE_KAFKA_REPLICAS to what there are"
        )
    load: Counter[int] = Counter(dict.fromkeys(brokers, 0))
    load.update(broker for topic in found.values() for partition in topic.assigned for broker in partition)
    plan = {}
    for name, topic in found.items():
        if topic.replicas >= wanted:
            continue
        plan[name] = [_wider(present, load, wanted, number) for number, present in enumerate(topic.assigned)]
    return plan


def _wider(present: Sequence[int], load: Counter[int], wanted: int, number: int) -> list[int]:
    """`load`: how many replicas each broker has, which is brought up to date."""
    others = sorted((broker for broker in load if broker not in present), key=lambda broker: (load[broker], broker))
    further = others[: max(0, wanted - len(present))]
    load.update(further)
    chosen = sorted([*present, *further])
    first = number % len(chosen)
    return chosen[first:] + chosen[:first]


def _replication(partitions: Mapping[int, Any]) -> Replication:
    ordered = [partitions[number] for number in sorted(partitions)]
    return Replication(
        tuple(tuple(each.replicas) for each in ordered),
        tuple(tuple(each.isrs) if each.leader >= 0 else () for each in ordered),
    )
