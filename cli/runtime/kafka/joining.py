"""On which folder a broker may start, so that the brokers that have a log are never outvoted by empty ones.

Kafka chooses its controller by the votes of a majority. Two brokers with empty folders would choose one of them, and
the third, which has everything, would throw its log away to follow. So a Kafka that is there grows by one broker at a
time, the last of the list: then every majority has one of those that were there, and no vote for an empty one.
"""

from __future__ import annotations

from pathlib import Path

from messaging.admin import wait_for_kafka
from schemas.access.kafka import KafkaAccess
from schemas.access.quorum import KafkaNode
from schemas.errors import OperatorError

ANSWER_S = 5.0


def is_formatted(data: Path) -> bool:
    return _identity(data).exists()


def check_folder(node: KafkaNode, data: Path, before: str) -> None:
    """Of a folder with a log. `before`: the voters that it was last started with.

    Raises `OperatorError` where the log is another broker's, or the brokers become other than one more or fewer.
    """
    said = dict(line.split("=", 1) for line in _identity(data).read_text().splitlines() if "=" in line)
    cluster, number = said.get("cluster.id"), said.get("node.id")
    if node.cluster and cluster != node.cluster:
        raise OperatorError(
            f"{data} is of the Kafka {cluster}, and the settings say {node.cluster}: on all its machines set "
            f"VITRINE_KAFKA_CLUSTER={cluster}, or move the folder away if nothing in it is needed"
        )
    if number != str(node.number):
        raise OperatorError(
            f"{data} is of Kafka's broker {number}, and this is to be {node.number}: set VITRINE_KAFKA_NODE={number}, "
            "and list the brokers in kafka_bootstrap in the order that they had"
        )
    known = before.count("@")
    if known and abs(len(node.nodes) - known) > 1:
        raise OperatorError(
            f"{data} is of a Kafka of {known} broker{'s' if known > 1 else ''}, and kafka_bootstrap lists "
            f"{len(node.nodes)}: it grows by one at a time (docs/operations.md, From one Kafka to three)"
        )


def check_empty(node: KafkaNode, kafka: KafkaAccess) -> None:
    """Of an empty folder. Raises `OperatorError` where it might be chosen over a broker that has the log.

    Of two brokers both must agree; of more, those that have the log are a majority when they answer without this one.
    """
    if not node.joins or len(node.nodes) <= 2:
        return
    try:
        wait_for_kafka(kafka, ANSWER_S)
    except OperatorError as error:
        raise OperatorError(
            f"Kafka's broker {node.number} has an empty folder, and the others do not answer: start those that have "
            "the log first, or wait until they answer (docs/operations.md, From one Kafka to three)"
        ) from error


def _identity(data: Path) -> Path:
    return data / "meta.properties"
