"""A real Kafka that demands a certificate and a password of whoever connects."""

from __future__ import annotations

import subprocess
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import msgspec
from confluent_kafka.admin import AdminClient, ScramCredentialInfo, ScramMechanism, UserScramCredentialUpsertion

from cli.runtime.kafka import format_storage, server_properties
from cli.runtime.programs import jars, java
from messaging.access import client_options
from messaging.admin import wait_for_kafka
from schemas.access.kafka import KafkaAccess
from schemas.layout import Layout
from schemas.settings import load_settings
from tests.hostile.doors.authority import Authority
from tests.ports import free_block

USER = "vitrine"
PASSWORD = "a \"long\" pass\\word: with 'all' that {hurts} = #é"
_CLUSTER = "c2VjdXJlLWthZmthLXRlc3Q"


@dataclass(frozen=True, slots=True)
class SecureKafka:
    """Where it is, and what gets one in. `settings`: values for `load_settings`."""

    access: KafkaAccess
    authority: Authority

    @property
    def settings(self) -> dict[str, Any]:
        return {
            "kafka_bootstrap": self.access.addresses,
            "kafka_security_protocol": self.access.protocol,
            "kafka_sasl_mechanism": self.access.mechanism,
            "kafka_sasl_username": self.access.username,
            "kafka_sasl_password_file": self.access.password_file,
            "kafka_tls_ca": self.access.ca,
            "kafka_tls_certificate": self.access.certificate,
            "kafka_tls_key": self.access.key,
        }


@contextmanager
def secure_kafka(folder: Path, host: str = "127.0.0.1", within: Sequence[str] = ()) -> Iterator[SecureKafka]:
    """Runs it until the end of the block; SASL_SSL with PLAIN, and a client certificate is demanded as well.

    `host`: where it listens. `within`: the beginning of a command that runs another elsewhere.
    """
    authority = Authority(folder / "authority", "kafka")
    certificate, key = authority.issue("client")
    secret = folder / "password"
    secret.write_text(PASSWORD + "\n")
    port = free_block(2)
    properties = folder / "server.properties"
    layout = Layout(folder)
    layout.make()
    (folder / "log4j2.yaml").write_text("Configuration: {Loggers: {Root: {level: ERROR}}}\n")
    properties.write_text(_properties(folder, authority, host, port), encoding="utf-8")
    format_storage(properties, layout, _CLUSTER)
    access = KafkaAccess(
        f"{host}:{port}",
        protocol="SASL_SSL",
        mechanism="PLAIN",
        username=USER,
        password_file=str(secret),
        ca=str(authority.certificate),
        certificate=str(certificate),
        key=str(key),
    )
    classpath = ":".join(str(jar) for jar in jars("kafka"))
    with (folder / "kafka.log").open("wb") as log:
        broker = subprocess.Popen(
            [*within, java(), "-cp", classpath, "-Xmx384m", "-XX:TieredStopAtLevel=1", "kafka.Kafka", str(properties)],
            stdin=subprocess.DEVNULL,
            stdout=log,
            stderr=subprocess.STDOUT,
        )
        try:
            wait_for_kafka(access, 60.0)
            yield SecureKafka(access, authority)
        finally:
            broker.terminate()
            broker.wait(60)


def add_scram_user(access: KafkaAccess, name: str, password: str) -> None:
    admin = AdminClient(client_options(access))
    info = ScramCredentialInfo(ScramMechanism.SCRAM_SHA_512, 4096)
    change = UserScramCredentialUpsertion(name, info, password.encode())
    for future in admin.alter_user_scram_credentials([change]).values():
        future.result(30)


def _properties(folder: Path, authority: Authority, host: str, port: int) -> str:
    certificate, key = authority.issue("broker", host)
    store = folder / "broker-store.pem"
    store.write_text(key.read_text() + certificate.read_text())
    plain = load_settings({}, home=str(folder), kafka_port=port)
    values = dict(line.split("=", 1) for line in server_properties(plain.kafka_port, folder / "data").splitlines())
    values = {
        name: value.replace("PLAINTEXT://", "SASL_SSL://").replace("SASL_SSL://127.0.0.1:", f"SASL_SSL://{host}:")
        for name, value in values.items()
    }
    users = {"broker": "between", USER: PASSWORD}
    known = " ".join(f"user_{name}={_quoted(password)}" for name, password in users.items())
    values |= {
        "listener.security.protocol.map": "SASL_SSL:SASL_SSL,CONTROLLER:PLAINTEXT",
        "inter.broker.listener.name": "SASL_SSL",
        "sasl.mechanism.inter.broker.protocol": "PLAIN",
        "sasl.enabled.mechanisms": "PLAIN,SCRAM-SHA-512",
        "listener.name.sasl_ssl.plain.sasl.jaas.config": "org.apache.kafka.common.security.plain.PlainLoginModule "
        f'required username="broker" password="between" {known};',
        "listener.name.sasl_ssl.scram-sha-512.sasl.jaas.config": (
            "org.apache.kafka.common.security.scram.ScramLoginModule required;"
        ),
        "ssl.keystore.type": "PEM",
        "ssl.keystore.location": str(store),
        "ssl.truststore.type": "PEM",
        "ssl.truststore.location": str(authority.certificate),
        # Where SASL is spoken, only this spelling counts.
        "listener.name.sasl_ssl.ssl.client.auth": "required",
    }
    # Kafka reads Java properties of Latin letters, which take a backslash for themselves.
    lines = (f"{name}={value}\n".replace("\\", "\\\\") for name, value in values.items())
    return "".join("".join(each if each.isascii() else f"\\u{ord(each):04x}" for each in line) for line in lines)


def _quoted(text: str) -> str:
    return msgspec.json.encode(text).decode()
