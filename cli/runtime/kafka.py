"""The single-node Kafka broker (KRaft) that `vitrine start` runs from Maven's jars."""

from __future__ import annotations

import base64
import os
import subprocess
import uuid
from pathlib import Path

from cli.runtime.class_data import class_options
from cli.runtime.environment import part_environment
from cli.runtime.jit import LATE, QUICK
from cli.runtime.parts import Part
from cli.runtime.programs import LOOPBACK, jars, java
from schemas.errors import OperatorError
from schemas.layout import Layout
from schemas.settings import Settings

NAME = "kafka"
_MAX_MESSAGE_BYTES = 16 * 1024 * 1024
_HEAP = [*LATE, "-Xms256m", "-Xmx512m", "-XX:+UseG1GC", "-XX:MaxGCPauseMillis=20", "-XX:+ExitOnOutOfMemoryError"]
_TOOL = ["-Xmx256m", *QUICK]

_LOG4J2 = """\
# Everything at WARN to standard output, which is logs/kafka.log; the broker's life cycle at INFO.
Configuration:
  status: WARN
  Appenders:
    Console:
      name: out
      target: SYSTEM_OUT
      PatternLayout:
        pattern: "%d{ISO8601} %-5p %c{1} %m%n"
  Loggers:
    Root:
      level: WARN
      AppenderRef:
        - ref: out
    Logger:
      - name: kafka.server.KafkaRaftServer
        level: INFO
      - name: org.apache.kafka.server.util.ShutdownableThread
        level: "OFF"
"""


def server_properties(port: int, data: Path) -> str:
    """The broker's configuration: one node that is broker and controller, bound to the loopback address.

    Kafka leaves the syncing of its log to the operating system: what a client
    has been told is written survives the broker's death, not the machine's.
    """
    host = LOOPBACK
    values = {
        "process.roles": "broker,controller",
        "node.id": 1,
        "controller.quorum.voters": f"1@{host}:{port + 1}",
        "listeners": f"PLAINTEXT://{host}:{port},CONTROLLER://{host}:{port + 1}",
        "advertised.listeners": f"PLAINTEXT://{host}:{port}",
        "listener.security.protocol.map": "PLAINTEXT:PLAINTEXT,CONTROLLER:PLAINTEXT",
        "controller.listener.names": "CONTROLLER",
        "inter.broker.listener.name": "PLAINTEXT",
        "log.dirs": data,
        # A topic that springs up by a typo has the wrong partitions; messaging.admin creates them all.
        "auto.create.topics.enable": "false",
        "offsets.topic.replication.factor": 1,
        "offsets.topic.num.partitions": 4,
        "transaction.state.log.replication.factor": 1,
        "transaction.state.log.min.isr": 1,
        "transaction.state.log.num.partitions": 2,
        "share.coordinator.state.topic.replication.factor": 1,
        "share.coordinator.state.topic.min.isr": 1,
        "group.initial.rebalance.delay.ms": 0,
        "message.max.bytes": _MAX_MESSAGE_BYTES,
        "replica.fetch.max.bytes": _MAX_MESSAGE_BYTES,
        "socket.request.max.bytes": 64 * 1024 * 1024,
        "num.network.threads": 2,
        "num.io.threads": 4,
        "num.recovery.threads.per.data.dir": 1,
        "log.segment.bytes": 256 * 1024 * 1024,
        "log.cleaner.dedupe.buffer.size": 32 * 1024 * 1024,
        # After a kill the new broker must wait until the old one's session ends.
        "broker.session.timeout.ms": 6000,
        "broker.heartbeat.interval.ms": 1000,
        # Else its controller writes a record of nothing twice a second, for followers that are none.
        "metadata.max.idle.interval.ms": 0,
    }
    return "".join(f"{key}={value}\n" for key, value in values.items())


def broker_part(settings: Settings) -> Part:
    """The broker, ready to start: its configuration is written, its storage formatted, once."""
    layout = settings.layout
    layout.make()
    properties = layout.kafka / "server.properties"
    data = layout.kafka / "data"
    properties.write_text(server_properties(settings.kafka_port, data))
    (layout.kafka / "log4j2.yaml").write_text(_LOG4J2)
    if not (data / "meta.properties").exists():
        cluster = base64.urlsafe_b64encode(uuid.uuid4().bytes).decode().rstrip("=")
        format_storage(properties, layout, cluster)
    # As Flink's programs do; ours come behind it and so count.
    options = [*os.environ.get("JVM_ARGS", "").split(), *_HEAP]
    command = [*_java(layout, NAME), *options, "kafka.Kafka", str(properties)]
    return Part(name=NAME, command=command, environment=part_environment(settings))


def format_storage(properties: Path, layout: Layout, cluster: str) -> None:
    """Prepares the folder that `properties` name for a broker of that cluster id (22 characters of URL-safe base64)."""
    # One argument: every 64th id begins with a dash, which would make it an option.
    tool = [*_java(layout, "kafka-storage"), *_TOOL, "kafka.tools.StorageTool"]
    command = [*tool, "format", f"--cluster-id={cluster}", "-c", str(properties)]
    done = subprocess.run(command, capture_output=True, text=True, check=False, stdin=subprocess.DEVNULL)
    if done.returncode != 0:
        raise OperatorError(
            f"cannot format Kafka's storage {layout.kafka}: {(done.stderr or done.stdout).strip()[-300:]}; "
            "if the folder holds nothing you need, remove it"
        )


def _java(layout: Layout, program: str) -> list[str]:
    classpath = ":".join(str(jar) for jar in jars("kafka"))
    logging = f"-Dlog4j2.configurationFile={layout.kafka / 'log4j2.yaml'}"
    return [java(), *class_options(program, classpath), logging, f"-Dkafka.logs.dir={layout.kafka}"]
