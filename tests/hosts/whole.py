"""A whole system on four hosts, as docs/operations.md lays it out for three machines and a balancer.

Kafka and the stores' server on `log`; the job manager, a task manager and a
replica of every shard on `one`; another task manager and the other replicas on
`two`; blenders and the load balancer on `front`. `one` and `two` have a broker
and a heartbeat each. Every host has a disk of its own, which all of them see
as the same `VITRINE_HOME`, and shares nothing with the others but the network.
That network is not trusted: what listens there wants a key, a certificate or a
password, and none of it is let off by `VITRINE_ALLOW_OPEN_ADDRESS`.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import time
from collections.abc import Sequence
from datetime import datetime
from pathlib import Path
from typing import Any

import httpx

from benchmarks.harness.balanced import HAPROXY
from benchmarks.load.store_server import RunningServer
from cli.runtime.environment import child_environment
from cli.runtime.flink.parts import JOB_MANAGER, TASK_MANAGER
from cli.runtime.programs import REPOSITORY
from cli.runtime.watchdog.state import NAME as WATCHDOG
from schemas.access.api_keys import Role
from schemas.settings import Settings, load_settings
from tests.hostile.doors.authority import Authority
from tests.hostile.doors.secure_kafka import SecureKafka
from tests.hosts.front_door import FrontDoor
from tests.hosts.network import Network
from tests.hosts.processes import HostProcesses

SHARDS = 2
WORKERS = ("one", "two")
LOG, FRONT = "log", "front"
GRPC_PORT, HTTP_PORT, FRONT_PORT = 7100, 8000, 8443
STORE_PASSWORD = "of-the-stores"
_NEVER = "1970-01-01T00:00:00Z"


class SystemOnHosts:
    """`settings`: those of the host `one`, for whoever asks from outside."""

    def __init__(self, network: Network, kafka: SecureKafka, store: RunningServer, folder: Path, **chosen: Any) -> None:
        self.network = network
        self.store = store
        self.url = f"https://{network.address(FRONT)}:{FRONT_PORT}"
        self.blenders = [f"https://{network.address(FRONT)}:{HTTP_PORT + n}" for n in range(2)]
        self.processes = HostProcesses(folder)
        self._folder = folder
        self._home = folder / "home"
        self._home.mkdir()
        self.door = FrontDoor(folder, network.address(FRONT))
        self.authority = Authority(folder / "services", "services")
        store_password = folder / "store-password"
        store_password.write_text(STORE_PASSWORD)
        subnet = network.address(WORKERS[0]).rpartition(".")[0]
        self._common = {
            "home": str(self._home),
            "shards": SHARDS,
            "replicas": len(WORKERS),
            "event_partitions": 4,
            "feature_partitions": 2,
            "parallelism": 2,
            "task_slots": 2,
            "flink_address": network.address(WORKERS[0]),
            **_keystore(folder),
            "store": f"redis://{store.host}:{store.port}",
            "store_password_file": str(store_password),
            "grpc_port": GRPC_PORT,
            "http_drain_s": 2.0,
            "broker_address": ",".join(f"{network.address(each)}:{GRPC_PORT}" for each in WORKERS),
            "searcher_address": f"{subnet}.1{{replica}}:{{port}}",
            "grpc_tls_ca": str(self.authority.certificate),
            "snapshot_interval_s": 5.0,
            "heartbeat_interval_ms": 200,
            "heartbeat_rest_interval_ms": 200,
            "checkpoint_interval_ms": 1000,
            **kafka.settings,
            **chosen,
        }
        for replica, host in enumerate(WORKERS):
            parts = [JOB_MANAGER, TASK_MANAGER, WATCHDOG] if replica == 0 else [TASK_MANAGER]
            searchers = [f"searcher-{shard}-{replica}" for shard in range(SHARDS)]
            for part in (*parts, *searchers, "broker", "heartbeat"):
                self._add(part, host, [sys.executable, "-m", "cli.main", "part", part], self._settings(host))
        for number in range(len(self.blenders)):
            settings = self._settings(FRONT, http_port=HTTP_PORT + number, **self.door.settings)
            self._add(f"blender {number}", FRONT, [sys.executable, "-m", "serving.blender"], settings)
        self._add_balancer()
        self.settings = self._settings(WORKERS[0])

    def shards(self) -> list[dict[str, Any]]:
        """What a blender shows of every replica."""
        found: list[dict[str, Any]] = self.door.get(f"{self.url}/v1/index", Role.OPERATE).json()["shards"]
        return found

    def is_whole(self) -> bool:
        """Whether every blender is ready, and sees all replicas serve what is at most two seconds old."""
        try:
            for url in self.blenders:
                if self.door.get(f"{url}/readyz").status_code != 200:
                    return False
            now_s = time.time()
            seen = self.shards()
        except (httpx.HTTPError, KeyError, ValueError):
            return False
        whole = [each["health"] for each in seen] == ["serving"] * (SHARDS * len(WORKERS))
        marks = [datetime.fromisoformat(each["watermark"] or _NEVER).timestamp() for each in seen]
        return whole and now_s - min(marks) < 2

    def await_whole(self, timeout_s: float = 480.0) -> float:
        """Returns after how many seconds it is. Meanwhile what ends on a host that is there is started again."""
        began = time.monotonic()
        while not self.is_whole():
            assert time.monotonic() - began < timeout_s, f"not whole within {timeout_s:.0f} s"
            self.processes.keep()
            time.sleep(0.2)
        return time.monotonic() - began

    def renew_certificate(self, host: str) -> None:
        """Of that host's services, which go on."""
        self.authority.renew(host, self.network.address(host))

    def renew_disk(self, host: str) -> None:
        """Another machine takes the place of one that is lost: of its disk the note of the log's epoch is there."""
        disk = self._disk(host)
        note = disk / self.settings.layout.log_epoch.name
        kept = note.read_bytes()
        shutil.rmtree(disk)
        disk.mkdir()
        note.write_bytes(kept)

    def _disk(self, host: str) -> Path:
        return self._folder / f"disk of {host}"

    def _settings(self, host: str, **own: Any) -> Settings:
        certificate, key = self.authority.issue(host, self.network.address(host))
        return load_settings(
            {},
            **self._common,
            host=self.network.address(host),
            grpc_tls_certificate=str(certificate),
            grpc_tls_key=str(key),
            **own,
        )

    def _add(self, name: str, host: str, command: Sequence[str], settings: Settings) -> None:
        self._disk(host).mkdir(exist_ok=True)
        within = self.network.within(host, (self._disk(host), self._home))
        self.processes.add(name, host, [*within, *command], child_environment(settings))

    def _add_balancer(self) -> None:
        address = self.network.address(FRONT)
        balancing = {
            "VITRINE_LISTEN": f"{address}:{FRONT_PORT}",
            "VITRINE_STATS": "127.0.0.1:8405",
            **self.door.balancing,
            **{f"VITRINE_BLENDER_{n}": url.removeprefix("https://") for n, url in enumerate(self.blenders, 1)},
        }
        command = [str(HAPROXY), "-db", "-f", str(REPOSITORY / "docker" / "haproxy" / "haproxy.cfg")]
        self.processes.add("balancer", FRONT, [*self.network.within(FRONT), *command], {**os.environ, **balancing})


def _keystore(folder: Path) -> dict[str, str]:
    """As docs/operations.md makes it."""
    keystore, password = folder / "flink.p12", folder / "flink-password"
    password.write_text("of-the-machines\n")
    made = "-genkeypair -alias flink -keyalg RSA -keysize 3072 -validity 3650 -dname CN=flink -storetype PKCS12"
    files = ["-keystore", str(keystore), "-storepass:file", str(password)]
    subprocess.run(["keytool", *made.split(), *files], check=True, capture_output=True)
    return {"flink_tls_keystore_file": str(keystore), "flink_tls_password_file": str(password)}
