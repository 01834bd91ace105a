"""What the containers are told to run, as it stands in docker/, on a real Kafka: Flink, serving, their health checks.

Paths and ports of the images become those of this machine; nothing else is changed.
"""

from __future__ import annotations

import json
import os
import re
import shutil
import signal
import subprocess
import sys
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager, suppress
from pathlib import Path

import httpx
import pytest

from cli.runtime.flink.access import FlinkAccess
from cli.runtime.flink.job import job_runs
from cli.runtime.jit import QUICK
from cli.runtime.programs import REPOSITORY, flink_home, jars, java
from messaging.producer import EventProducer
from messaging.ranges import read_all
from schemas.deltas.delta import decode_deltas
from schemas.settings import Settings, load_settings
from schemas.topics import INDEX_DELTAS, PRODUCT_EVENTS
from tests.ports import free_block
from tests.support.deployed import DOCKER, compose, image_health
from tests.support.flink_metrics import FLINK, STAGES
from tests.support.stages.given_vectors import EXTRACTOR, A
from tests.system import eventually

pytestmark = [pytest.mark.integration, pytest.mark.drill]


class Machine:
    """A folder and ports of its own for what runs in the network of Compose. `ports`: of the image, and of here."""

    def __init__(self, folder: Path, bootstrap: str) -> None:
        self.home = folder / "home"
        self.home.mkdir()
        self._folder = folder
        block = free_block(16)
        self.ports = {8000: block, 8081: block + 1, 9250: block + 2, 9251: block + 3, 6123: block + 4}
        self.ports |= {7100: block + 8, 7101: block + 9, 7102: block + 10}
        self.ports |= {grpc + 1000: self.ports[grpc] + 1000 for grpc in (7100, 7101, 7102)}
        self.settings: Settings = load_settings(
            {}, home=str(self.home), kafka_bootstrap=bootstrap, event_partitions=2, feature_partitions=2,
            http_port=self.ports[8000], grpc_port=self.ports[7100], encoder=EXTRACTOR,
        )  # fmt: skip
        self.environment = {**self._bare(), **self._flink(), "VITRINE_HOME": str(self.home)}
        for name in ("kafka_bootstrap", "event_partitions", "feature_partitions", "http_port", "grpc_port", "encoder"):
            self.environment[f"VITRINE_{name.upper()}"] = str(getattr(self.settings, name))

    def here(self, command: Sequence[str]) -> list[str]:
        """A command of the image, with the paths and ports of this machine."""
        return [self._here(word) for word in command]

    def _here(self, text: str) -> str:
        for image, place in (
            ("/opt/vitrine/.cache/jars/doors", str(jars("doors")[0].parent)),
            ("/opt/vitrine", str(REPOSITORY)),
            ("/var/lib/vitrine", str(self.home)),
        ):
            text = text.replace(image, place)
        for image_port, port in self.ports.items():
            text = text.replace(f"127.0.0.1:{image_port}/", f"127.0.0.1:{port}/")
            text = text.replace(f"port={image_port}", f"port={port}").replace(f".jar={image_port} ", f".jar={port} ")
        return text

    def _bare(self) -> dict[str, str]:
        """PATH as in the image: our interpreter's programs, then Flink's."""
        programs = os.pathsep.join((str(Path(sys.executable).parent), str(flink_home() / "bin"), os.environ["PATH"]))
        ours = {name: value for name, value in os.environ.items() if not name.startswith("VITRINE_")}
        return {**ours, "PATH": programs, "PYTHONPATH": str(REPOSITORY), "JVM_ARGS": " ".join(QUICK)}

    def _flink(self) -> dict[str, str]:
        """The folders that the Dockerfile makes."""
        conf, lib, log = (self._folder / name for name in ("conf", "lib", "log"))
        for folder in (conf, lib, log):
            folder.mkdir()
        for jar in (*(flink_home() / "lib").glob("*.jar"), *jars("flink")):
            (lib / jar.name).symlink_to(jar)
        shutil.copy(flink_home() / "conf" / "log4j-console.properties", conf)
        text = self._here((DOCKER / "flink" / "config.yaml").read_text())
        (conf / "config.yaml").write_text(
            f"{text}rest.port: {self.ports[8081]}\njobmanager.rpc.port: {self.ports[6123]}\nblob.server.port: '0'\n"
        )
        named = {"FLINK_LIB_DIR": lib, "FLINK_CONF_DIR": conf, "FLINK_LOG_DIR": log, "FLINK_PID_DIR": log}
        return {"JAVA_HOME": str(Path(java()).resolve().parents[1])} | {key: str(path) for key, path in named.items()}

    @contextmanager
    def running(self, service: str) -> Iterator[subprocess.Popen[bytes]]:
        """The service of Compose in the foreground; ended as `docker stop` does."""
        environment = {**self.environment, **self._own(service)}
        with (self._folder / f"{service}.log").open("ab") as output:
            process = subprocess.Popen(
                self.here(compose()[service]["command"]), env=environment, cwd=self.home,
                stdout=output, stderr=output, start_new_session=True,
            )  # fmt: skip
        try:
            yield process
        finally:
            if process.poll() is None:
                process.send_signal(signal.SIGTERM)
            try:
                process.wait(60)
            finally:
                with suppress(ProcessLookupError):  # what it has started is gone, too, where all is well
                    os.killpg(process.pid, signal.SIGKILL)

    def _own(self, service: str) -> dict[str, str]:
        """What Compose sets for this service beyond what all have."""
        common = compose()["broker"]["environment"]
        return {name: value for name, value in compose()[service].get("environment", {}).items() if name not in common}

    def healthy(self, service: str) -> bool:
        """What Docker would find out by the health check."""
        check = compose()[service].get("healthcheck", {}).get("test") or ["CMD", *image_health()[0]]
        assert check[0] == "CMD"
        done = subprocess.run(self.here(check[1:]), env=self.environment, capture_output=True, timeout=60, check=False)
        return done.returncode == 0

    def log(self, service: str) -> str:
        return (self._folder / f"{service}.log").read_text(errors="replace")[-3000:]


@pytest.fixture
def machine(kafka_broker: str, tmp_path: Path) -> Machine:
    return Machine(tmp_path, kafka_broker)


def test_flink_of_the_containers_runs_the_job_and_a_new_job_manager_runs_it_again(machine: Machine) -> None:
    access = FlinkAccess(f"127.0.0.1:{machine.ports[8081]}")

    def runs(service: str) -> bool:
        assert manager.poll() is None, machine.log(service)
        return job_runs(access)

    with machine.running("taskmanager"):
        with machine.running("jobmanager") as manager:
            eventually(lambda: runs("jobmanager"), "the job runs", 240, poll_s=0.5)
            assert machine.healthy("jobmanager")
            assert machine.healthy("taskmanager")
            product_arrives(machine, "container-1")
            series_of_the_job(machine)
            os.killpg(manager.pid, signal.SIGKILL)
            manager.wait(60)
            assert not machine.healthy("jobmanager")
        with machine.running("jobmanager") as manager:
            eventually(lambda: runs("jobmanager"), "the job runs again", 240, poll_s=0.5)


def product_arrives(machine: Machine, product: str) -> None:
    """With a vector of the shop's own: no network is loaded for it."""
    image = {"url": f"https://shop.example/{product}.jpg", "vector": A}
    event = {"type": "product_added", "product_id": product, "images": [image]}
    with EventProducer(machine.settings.kafka) as producer:
        producer.send(PRODUCT_EVENTS, product.encode(), json.dumps(event).encode())

    def vector_is_there() -> bool:
        found = [
            decode_deltas(message.value or b"")
            for shard in range(machine.settings.partitions_of_deltas)
            for message in read_all(machine.settings.kafka, INDEX_DELTAS, shard)
            if product.encode() in (message.value or b"")
        ]
        return any(product in batch.product_id and any(batch.vector) for batch in found)

    eventually(vector_is_there, f"state and vector of {product} are in index-deltas", 240, poll_s=0.5)


def series_of_the_job(machine: Machine) -> None:
    """What alerts and the dashboard ask of Flink is what it shows."""

    stages: set[str] = set()

    def shown() -> dict[str, set[str]]:
        found: dict[str, set[str]] = {}
        stages.clear()
        for port in (9250, 9251):
            text = httpx.get(f"http://127.0.0.1:{machine.ports[port]}/metrics", trust_env=False).text
            for line in text.splitlines():
                if line and not line.startswith("#"):
                    name, _, labels = line.partition("{")
                    found.setdefault(name.split()[0], set()).update(
                        pair.partition("=")[0] for pair in labels.partition("}")[0].split(",") if pair
                    )
                    stages.update(re.findall(r"pendingRecords.*operator_name=\"[^\"]*_(\w+)_source\"", line))
        return found

    wanted = {**FLINK, f"{STAGES}events": {"vitrine"}, f"{STAGES}given": {"vitrine"}}
    eventually(lambda: wanted.keys() <= shown().keys(), f"Flink shows {sorted(wanted)}", 60, poll_s=1.0)
    for name, labels in wanted.items():
        assert labels <= shown()[name], name
    assert stages == {"catalogue", "extraction"}, "what vitrine:events_waiting tells them by"


def test_serving_of_the_containers_starts_is_probed_and_ends(machine: Machine) -> None:
    names = [name for name, service in compose().items() if service["image"] == "vitrine-serving"]
    with ExitStack() as stack:
        started = {name: stack.enter_context(machine.running(name)) for name in names}
        first = started["searcher-0-0"]
        for name in names:
            if not compose()[name].get("healthcheck", {}).get("disable"):
                eventually(lambda name=name: machine.healthy(name), f"{name} is healthy", 120, poll_s=0.5)  # type: ignore[misc]
        assert (machine.home / "run" / "broker.json").exists(), "vitrine status finds it"
        again = subprocess.run(
            machine.here(compose()["broker"]["command"]), env=machine.environment, capture_output=True, text=True,
            timeout=120, check=False,
        )  # fmt: skip
        assert (again.returncode, "broker runs already, as process" in again.stderr) == (2, True)
        os.kill(first.pid, signal.SIGKILL)
        first.wait(60)
        assert not machine.healthy("searcher-0-0")
        for name in ("broker", "blender", "heartbeat"):
            started[name].send_signal(signal.SIGTERM)
            assert started[name].wait(60) == 0, machine.log(name)
