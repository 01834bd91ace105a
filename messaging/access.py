"""How librdkafka's clients get into Kafka."""

from __future__ import annotations

from typing import Any

from schemas.access.kafka import Kafka, access_to


def client_options(kafka: Kafka) -> dict[str, Any]:
    """What every client of librdkafka's is made with. Raises `OperatorError` for files that cannot be read."""
    access = access_to(kafka)
    options: dict[str, Any] = {
        "bootstrap.servers": access.addresses,
        "security.protocol": access.protocol,
        # A broker that comes back is found again within a second, and not in up to ten.
        "reconnect.backoff.max.ms": 1000,
    }
    if access.authenticated:
        options |= {
            "sasl.mechanism": access.mechanism,
            "sasl.username": access.username,
            "sasl.password": access.password(),
        }
    files = {
        "ssl.ca.location": access.ca,
        "ssl.certificate.location": access.certificate,
        "ssl.key.location": access.key,
    }
    return options | {name: file for name, file in files.items() if file}
