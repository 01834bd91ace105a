"""What Flink's Kafka connector is told about the way into Kafka.

The job is submitted, stored and shown by Flink, so it holds no secret: it
names a file, readable by its owner alone, out of which Kafka's own client
takes password and key when it connects (`FileConfigProvider`). Job manager
and task managers need that file, at the same path.
"""

from __future__ import annotations

import os
from pathlib import Path

from schemas.access.kafka import Kafka, KafkaAccess, access_to, secret_text
from schemas.errors import OperatorError

_KAFKA = "org.apache.flink.kafka.shaded.org.apache.kafka.common"
"""Where the connector's jar has its copy of Kafka's client."""

_MODULES = {
    "PLAIN": f"{_KAFKA}.security.plain.PlainLoginModule",
    "SCRAM-SHA-256": f"{_KAFKA}.security.scram.ScramLoginModule",
    "SCRAM-SHA-512": f"{_KAFKA}.security.scram.ScramLoginModule",
}


def connector_properties(kafka: Kafka) -> dict[str, str]:
    """Properties of Kafka's Java client, without `properties.`; writes the file of secrets where one is needed.

    Raises `OperatorError` for files that cannot be read or used.
    """
    access = access_to(kafka)
    properties = {"bootstrap.servers": access.addresses}
    if access.protocol == "PLAINTEXT":
        return properties
    properties["security.protocol"] = access.protocol
    secrets: dict[str, str] = {}
    if access.authenticated:
        properties["sasl.mechanism"] = access.mechanism
        secrets["sasl.jaas.config"] = _login(access)
    if access.ca:
        properties |= {"ssl.truststore.type": "PEM", "ssl.truststore.location": access.ca}
    if access.certificate:
        properties["ssl.keystore.type"] = "PEM"
        secrets["ssl.keystore.certificate.chain"] = secret_text(access.certificate, "kafka_tls_certificate")
        secrets["ssl.keystore.key"] = _pkcs8(access.key)
    if secrets:
        file = _written(Path(access.flink_secrets), secrets)
        properties |= {name: f"${{file:{file}:{name}}}" for name in secrets}
        properties |= {
            "config.providers": "file",
            "config.providers.file.class": f"{_KAFKA}.config.provider.FileConfigProvider",
        }
    return properties


def _login(access: KafkaAccess) -> str:
    username, password = (
        text.replace("\\", "\\\\").replace('"', '\\"') for text in (access.username, access.password())
    )
    return f'{_MODULES[access.mechanism]} required username="{username}" password="{password}";'


def _pkcs8(file: str) -> str:
    key = secret_text(file, "kafka_tls_key")
    if "-----BEGIN PRIVATE KEY-----" not in key:
        raise OperatorError(
            f"{file} (kafka_tls_key) is no PKCS#8 key without a password, which Kafka's Java client needs: "
            "openssl pkcs8 -topk8 -nocrypt -in OLD -out NEW"
        )
    return key


def _written(file: Path, secrets: dict[str, str]) -> Path:
    """The secrets as Java properties, in a file that appears whole."""
    if set(str(file)) & set(":}'"):
        raise OperatorError(f"Kafka's client cannot read {file}: choose a VITRINE_HOME without ':', '}}' and \"'\"")
    file.parent.mkdir(parents=True, exist_ok=True)
    draft = file.with_suffix(f".{os.getpid()}")
    draft.unlink(missing_ok=True)
    with os.fdopen(os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "w", encoding="utf-8") as out:
        for name, value in secrets.items():
            escaped = value.replace("\\", "\\\\").replace("\n", "\\n").replace("\r", "\\r")
            out.write(f"{name}={escaped}\n")
    draft.replace(file)
    return file
