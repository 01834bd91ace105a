"""What Kafka's Java client is told about the way into Kafka.

Its properties are stored and shown by whoever it works for, so they hold no
secret: they name a file, readable by its owner alone, out of which the client
takes password and key when it connects (`FileConfigProvider`).
"""

from __future__ import annotations

import os
from pathlib import Path

from schemas.access.kafka import KafkaAccess, secret_text
from schemas.errors import OperatorError

_MODULES = {
    "PLAIN": "security.plain.PlainLoginModule",
    "SCRAM-SHA-256": "security.scram.ScramLoginModule",
    "SCRAM-SHA-512": "security.scram.ScramLoginModule",
}


def java_properties(access: KafkaAccess, file: Path, package: str = "org.apache.kafka.common") -> dict[str, str]:
    """Properties of a client; writes `file`, where there are secrets. `package`: of that client's own classes.

    Raises `OperatorError` for files that cannot be read or used.
    """
    properties = {"bootstrap.servers": access.addresses}
    if access.protocol == "PLAINTEXT":
        return properties
    properties["security.protocol"] = access.protocol
    secrets: dict[str, str] = {}
    if access.authenticated:
        properties["sasl.mechanism"] = access.mechanism
        secrets["sasl.jaas.config"] = _login(access, package)
    if access.ca:
        properties |= {"ssl.truststore.type": "PEM", "ssl.truststore.location": access.ca}
    if access.certificate:
        properties["ssl.keystore.type"] = "PEM"
        secrets["ssl.keystore.certificate.chain"] = secret_text(access.certificate, "kafka_tls_certificate")
        secrets["ssl.keystore.key"] = access.private_key()
    if secrets:
        _write(file, secrets)
        properties |= {name: f"${{file:{file}:{name}}}" for name in secrets}
        properties |= {
            "config.providers": "file",
            "config.providers.file.class": f"{package}.config.provider.FileConfigProvider",
        }
    return properties


def _login(access: KafkaAccess, package: str) -> str:
    username, password = (
        text.replace("\\", "\\\\").replace('"', '\\"') for text in (access.username, access.password())
    )
    return f'{package}.{_MODULES[access.mechanism]} required username="{username}" password="{password}";'


def _write(file: Path, secrets: dict[str, str]) -> None:
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
