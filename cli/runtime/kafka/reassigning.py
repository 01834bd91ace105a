"""Bringing topics to further brokers by Kafka's own tool: librdkafka cannot ask for it."""

from __future__ import annotations

import json
import subprocess
import tempfile
from collections.abc import Mapping, Sequence
from pathlib import Path

from cli.runtime.jit import QUICK
from cli.runtime.programs import jars, java
from messaging.java import java_properties
from schemas.access.kafka import KafkaAccess
from schemas.errors import OperatorError

_TOOL = "org.apache.kafka.tools.reassign.ReassignPartitionsCommand"


def reassign(kafka: KafkaAccess, plan: Mapping[str, Sequence[Sequence[int]]]) -> None:
    """Begins it and returns; brokers copy on by themselves. `plan`: by topic and partition the brokers, leader first.

    What moves already may be told to move elsewhere. Raises `OperatorError` with what the tool says where it refuses.
    """
    wanted = [
        {"topic": topic, "partition": number, "replicas": list(brokers)}
        for topic, partitions in plan.items()
        for number, brokers in enumerate(partitions)
    ]
    with tempfile.TemporaryDirectory(prefix="vitrine-") as name:
        folder = Path(name)
        moves = folder / "moves.json"
        moves.write_text(json.dumps({"version": 1, "partitions": wanted}))
        client = folder / "client.properties"
        said = java_properties(kafka, folder / "secrets.properties")
        client.write_text("".join(f"{key}={value}\n" for key, value in said.items()))
        command = [java(), "-Xmx256m", *QUICK, "-cp", ":".join(map(str, [*jars("kafka-tools"), *jars("kafka")])), _TOOL]
        arguments = ["--bootstrap-server", kafka.addresses, "--command-config", str(client)]
        # Without a rate Kafka copies as fast as it can.
        arguments += ["--reassignment-json-file", str(moves), "--execute", "--additional"]
        done = subprocess.run([*command, *arguments], capture_output=True, text=True, check=False)
    if done.returncode != 0:
        raise OperatorError(
            f"Kafka did not take the further replicas: {(done.stderr or done.stdout).strip()[-400:]}; mend it, and run "
            "the command again"
        )
