"""The broker as a part: its command, its configuration written, its storage formatted."""

from __future__ import annotations

import base64
import os
import subprocess
import uuid
from pathlib import Path

from cli.runtime.class_data import class_options
from cli.runtime.environment import part_environment
from cli.runtime.jit import LATE, QUICK
from cli.runtime.kafka.joining import check_empty, check_folder, is_formatted
from cli.runtime.kafka.properties import node_properties, only_node, server_properties
from cli.runtime.parts import Part
from cli.runtime.programs import jars, java
from schemas.access.exposure import check_kafka_exposure
from schemas.errors import OperatorError
from schemas.layout import Layout
from schemas.settings import Settings

NAME = "kafka"
_HEAP = [*LATE, "-Xms256m", "-Xmx512m", "-XX:+UseG1GC", "-XX:MaxGCPauseMillis=20", "-XX:+ExitOnOutOfMemoryError"]
_TOOL = ["-Xmx256m", *QUICK]
_VOTERS = "controller.quorum.voters="

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


def broker_part(settings: Settings) -> Part:
    """The broker, ready to start: its configuration is written, its storage formatted, once.

    Raises `OperatorError` where it must not start with these settings on what its folder holds.
    """
    layout = settings.layout
    layout.make()
    check_kafka_exposure(settings)
    properties, data = layout.kafka / "server.properties", layout.kafka / "data"
    node = settings.own_broker
    formatted = is_formatted(data)
    if formatted:
        check_folder(only_node(settings.kafka_port) if node is None else node, data, _voters(properties))
    elif node is not None:
        check_empty(node, settings.kafka)
    text = server_properties(settings.kafka_port, data) if node is None else node_properties(node, settings.kafka, data)
    properties.write_text(text)
    (layout.kafka / "log4j2.yaml").write_text(_LOG4J2)
    if not formatted:
        format_storage(properties, layout, _new_cluster() if node is None else node.cluster)
    # As Flink's programs do; ours come behind it and so count.
    options = [*os.environ.get("JVM_ARGS", "").split(), *_HEAP]
    command = [*java_command(layout, NAME), *options, "kafka.Kafka", str(properties)]
    return Part(name=NAME, command=command, environment=part_environment(settings))


def format_storage(properties: Path, layout: Layout, cluster: str) -> None:
    """Prepares the folder that `properties` name for a broker of that cluster id (22 characters of URL-safe base64)."""
    # One argument: every 64th id begins with a dash, which would make it an option.
    tool = [*java_command(layout, "kafka-storage"), *_TOOL, "kafka.tools.StorageTool"]
    command = [*tool, "format", f"--cluster-id={cluster}", "-c", str(properties)]
    done = subprocess.run(command, capture_output=True, text=True, check=False, stdin=subprocess.DEVNULL)
    if done.returncode != 0:
        raise OperatorError(
            f"cannot format Kafka's storage {layout.kafka}: {(done.stderr or done.stdout).strip()[-300:]}; "
            "if the folder holds nothing you need, remove it"
        )


def java_command(layout: Layout, program: str) -> list[str]:
    """The beginning of the command of one of Kafka's programs."""
    classpath = ":".join(str(jar) for jar in jars("kafka"))
    logging = f"-Dlog4j2.configurationFile={layout.kafka / 'log4j2.yaml'}"
    return [java(), *class_options(program, classpath), logging, f"-Dkafka.logs.dir={layout.kafka}"]


def _new_cluster() -> str:
    return base64.urlsafe_b64encode(uuid.uuid4().bytes).decode().rstrip("=")


def _voters(properties: Path) -> str:
    """Those that the broker was last started with; empty where that is not known."""
    if not properties.exists():
        return ""
    lines = properties.read_text().splitlines()
    return next((line.removeprefix(_VOTERS) for line in lines if line.startswith(_VOTERS)), "")
