"""What Flink's Kafka connector is told about the way into Kafka.

The job is submitted, stored and shown by Flink, so it holds no secret: see
`messaging.java`. Job manager and task managers need the file that it names, at
the same path.
"""

from __future__ import annotations

from pathlib import Path

from messaging.java import java_properties
from schemas.access.kafka import Kafka, access_to

_KAFKA = "org.apache.flink.kafka.shaded.org.apache.kafka.common"
"""Where the connector's jar has its copy of Kafka's client."""


def connector_properties(kafka: Kafka) -> dict[str, str]:
    """Properties of its client, without `properties.`; writes the file of secrets where one is needed.

    Raises `OperatorError` for files that cannot be read or used.
    """
    access = access_to(kafka)
    return java_properties(access, Path(access.flink_secrets), _KAFKA)
