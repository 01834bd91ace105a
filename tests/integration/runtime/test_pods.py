"""Parts with addresses of their own and one port for all searchers, as pods have them: they find each other by name."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path

import httpx
import pytest

from cli.runtime.programs import REPOSITORY
from serving.exposition import METRICS_PORT_OFFSET
from tests.ports import free_block
from tests.support.deployed import named, of_kind
from tests.support.stages.given_vectors import EXTRACTOR
from tests.system import eventually

pytestmark = [pytest.mark.integration, pytest.mark.drill]


@contextmanager
def pod(name: str, command: list[str], folder: Path, environment: dict[str, str]) -> Iterator[subprocess.Popen[bytes]]:
    """With a home of its own, as pods have."""
    home = folder / name
    home.mkdir()
    programs = os.pathsep.join((str(Path(sys.executable).parent), os.environ["PATH"]))
    whole = {**os.environ, "PATH": programs, "PYTHONPATH": str(REPOSITORY), "VITRINE_HOME": str(home), **environment}
    with (folder / f"{name}.log").open("wb") as output:
        command = [word.replace("$(POD_NAME)", name) for word in command]
        process = subprocess.Popen(command, env=whole, cwd=home, stdout=output, stderr=output)
    try:
        yield process
    finally:
        process.send_signal(signal.SIGTERM)
        assert process.wait(60) == 0, (folder / f"{name}.log").read_text()


def command_of(kind: str, name: str) -> list[str]:
    (container,) = named(kind, name)["spec"]["template"]["spec"]["containers"]
    command: list[str] = container["command"]
    return command


def test_blender_is_ready_once_it_has_found_a_broker_and_that_its_searchers(kafka_broker: str, tmp_path: Path) -> None:
    """Each at an address of the loopback network, of which a machine has many, instead of in the cluster's DNS."""
    port = free_block(8)
    searchers = {
        f"{document['metadata']['name']}-0": document["metadata"]["name"] for document in of_kind("StatefulSet")
    }
    common = {
        **named("ConfigMap", "vitrine")["data"],
        "VITRINE_KAFKA_BOOTSTRAP": kafka_broker,
        "VITRINE_REPLICAS": "1",
        "VITRINE_GENERATIONS": str(tmp_path / "generations"),
        "VITRINE_GRPC_PORT": str(port),
        "VITRINE_HTTP_PORT": str(port + 2),
        "VITRINE_BROKER_ADDRESS": f"127.2.0.1:{port}",
        "VITRINE_SEARCHER_ADDRESS": f"127.1.{{shard}}.{{replica}}:{port + 1}",
        "VITRINE_ALLOW_OPEN_ADDRESS": "false",
        "VITRINE_EVENT_PARTITIONS": "2",
        "VITRINE_HTTP_DRAIN_S": "0",
        "VITRINE_ENCODER": EXTRACTOR,
    }
    with ExitStack() as stack:
        for name, of in searchers.items():
            shard = of.rpartition("-")[2]
            own = {**common, "VITRINE_HOST": f"127.1.{shard}.0"}
            stack.enter_context(pod(name, command_of("StatefulSet", of), tmp_path, own))
        for name, host in (("broker", "127.2.0.1"), ("blender", "127.3.0.1")):
            own = {**common, "VITRINE_HOST": host}
            stack.enter_context(pod(name, command_of("Deployment", name), tmp_path, own))
        with httpx.Client(trust_env=False) as client:

            def says(host: str, port: int, path: str) -> bool:
                return client.get(f"http://{host}:{port}{path}", timeout=10).status_code == 200

            for shard in range(len(searchers)):
                ready = (f"127.1.{shard}.0", port + 1 + METRICS_PORT_OFFSET, "/readyz")
                eventually(lambda ready=ready: says(*ready), f"the searcher at {ready[0]} is ready")  # type: ignore[misc]
            eventually(lambda: says("127.2.0.1", port + METRICS_PORT_OFFSET, "/readyz"), "the broker is ready")
            eventually(lambda: says("127.3.0.1", port + 2, "/readyz"), "the blender is ready, with every shard")
