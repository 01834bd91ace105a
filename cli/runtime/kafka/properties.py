"""The configuration of a broker that is a controller as well."""

from __future__ import annotations

from pathlib import Path

from cli.runtime.programs import LOOPBACK
from schemas.access.kafka import KafkaAccess, secret_text
from schemas.access.quorum import KafkaNode
from schemas.topics import in_sync_of

_MAX_MESSAGE_BYTES = 16 * 1024 * 1024


def only_node(port: int) -> KafkaNode:
    """The only broker, on the loopback address."""
    return KafkaNode(1, ((LOOPBACK, port),), LOOPBACK)


def server_properties(port: int, data: Path) -> str:
    """Of the only broker.

    Kafka leaves the syncing of its log to the operating system: what a client
    has been told is written survives the broker's death, not the machine's.
    """
    # Else its controller writes a record of nothing twice a second, for followers that are none.
    return _text(_common(only_node(port), "PLAINTEXT", data) | {"metadata.max.idle.interval.ms": 0})


def node_properties(node: KafkaNode, access: KafkaAccess, data: Path) -> str:
    """Of one of several; with certificates it writes certificate and key, as Kafka wants them, beside `data`.

    What a client has been told is written lies at `min.insync.replicas` brokers: it survives the loss of a machine.
    Raises `OperatorError` for files that cannot be read.
    """
    replicated = {
        "default.replication.factor": node.replicas,
        "min.insync.replicas": in_sync_of(node.replicas),
    }
    return _text(_common(node, access.protocol, data) | replicated | _certificates(access, data.parent / "node.pem"))


def _common(node: KafkaNode, protocol: str, data: Path) -> dict[str, object]:
    return {
        "process.roles": "broker,controller",
        "node.id": node.number,
        "controller.quorum.voters": node.voters,
        "listeners": f"{protocol}://{node.binds}:{node.port},CONTROLLER://{node.binds}:{node.port + 1}",
        "advertised.listeners": f"{protocol}://{node.address}",
        "listener.security.protocol.map": f"{protocol}:{protocol},CONTROLLER:{protocol}",
        "controller.listener.names": "CONTROLLER",
        "inter.broker.listener.name": protocol,
        "log.dirs": data,
        # A topic that springs up by a typo has the wrong partitions; messaging.admin creates them all.
        "auto.create.topics.enable": "false",
        "offsets.topic.replication.factor": node.replicas,
        "offsets.topic.num.partitions": 4,
        "transaction.state.log.replication.factor": node.replicas,
        "transaction.state.log.min.isr": in_sync_of(node.replicas),
        "transaction.state.log.num.partitions": 2,
        "share.coordinator.state.topic.replication.factor": node.replicas,
        "share.coordinator.state.topic.min.isr": in_sync_of(node.replicas),
        "group.initial.rebalance.delay.ms": 0,
        "message.max.bytes": _MAX_MESSAGE_BYTES,
        "replica.fetch.max.bytes": _MAX_MESSAGE_BYTES,
        "socket.request.max.bytes": 64 * 1024 * 1024,
        "num.network.threads": 2,
        "num.io.threads": 4,
        "num.recovery.threads.per.data.dir": 1,
        "log.segment.bytes": 256 * 1024 * 1024,
        "log.cleaner.dedupe.buffer.size": 32 * 1024 * 1024,
        # So long a broker that was killed counts as there: until then it cannot come back, and of several brokers
        # the others wait for it with each record.
        "broker.session.timeout.ms": 6000,
        "broker.heartbeat.interval.ms": 1000,
    }


def _certificates(access: KafkaAccess, file: Path) -> dict[str, object]:
    """Brokers, controllers and clients speak with nobody whose certificate that authority did not sign."""
    if not access.encrypted:
        return {}
    content = access.private_key() + secret_text(access.certificate, "kafka_tls_certificate")
    file.touch(mode=0o600)
    file.write_text(content)
    return {
        "ssl.keystore.type": "PEM",
        "ssl.keystore.location": file,
        "ssl.truststore.type": "PEM",
        "ssl.truststore.location": access.ca,
        "ssl.client.auth": "required",
    }


def _text(values: dict[str, object]) -> str:
    return "".join(f"{key}={value}\n" for key, value in values.items())
