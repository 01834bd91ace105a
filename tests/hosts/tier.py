"""The serving tier on hosts: Kafka on one, a replica of everything on each of two, a load balancer before them."""

from __future__ import annotations

import os
import sys
import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import httpx

from benchmarks.harness.balanced import HAPROXY
from cli.runtime.environment import settings_environment
from cli.runtime.programs import REPOSITORY
from schemas.access.kafka import KafkaAccess
from schemas.settings import load_settings
from tests.hostile.doors.authority import Authority
from tests.hostile.doors.secure_kafka import SecureKafka
from tests.hosts.network import Network
from tests.hosts.processes import HostProcesses

SHARDS = 2
TWINS = ("one", "two")
"""Hosts that each hold a replica of every shard, a broker and a blender."""
LOG, FRONT = "log", "front"
GRPC_PORT, HTTP_PORT, FRONT_PORT = 7100, 8000, 8080


class TierOnHosts:
    """Every host has a folder of its own."""

    def __init__(self, network: Network, kafka: SecureKafka, folder: Path, encoder: str) -> None:
        self.network = network
        self.kafka: KafkaAccess = kafka.access
        self.url = f"http://{network.address(FRONT)}:{FRONT_PORT}"
        self.blenders = {host: f"http://{network.address(host)}:{HTTP_PORT}" for host in TWINS}
        self.authority = Authority(folder / "services", "services")
        subnet = network.address(TWINS[0]).rpartition(".")[0]
        pattern = f"{subnet}.1{{replica}}:{{port}}"
        assert [pattern.format(replica=n, port=1) for n in range(2)] == [f"{network.address(h)}:1" for h in TWINS]
        self.processes = HostProcesses(folder)
        for replica, host in enumerate(TWINS):
            certificate, key = self.authority.issue(host, network.address(host))
            settings = load_settings(
                {},
                home=str(folder / host),
                host=network.address(host),
                # Shoppers come by the front, over a network of its own; between the services certificates count.
                allow_open_address=True,
                allowed_hosts=["*"],
                shards=SHARDS,
                replicas=len(TWINS),
                encoder=encoder,
                event_partitions=2,
                grpc_port=GRPC_PORT,
                http_port=HTTP_PORT,
                http_drain_s=2.0,
                broker_address=",".join(f"{network.address(each)}:{GRPC_PORT}" for each in TWINS),
                searcher_address=pattern,
                grpc_tls_ca=str(self.authority.certificate),
                grpc_tls_certificate=str(certificate),
                grpc_tls_key=str(key),
                snapshot_interval_s=5.0,
                **kafka.settings,
            )
            (folder / host).mkdir()
            environment = {**os.environ, **settings_environment(settings)}
            for shard in range(SHARDS):
                module = ("serving.searcher", "--shard", str(shard), "--replica", str(replica))
                self._add(f"searcher {shard}", host, [sys.executable, "-m", *module], environment)
            for service in ("broker", "blender"):
                self._add(service, host, [sys.executable, "-m", f"serving.{service}"], environment)
        balancing = {
            "VITRINE_LISTEN": f"{network.address(FRONT)}:{FRONT_PORT}",
            "VITRINE_STATS": "127.0.0.1:8405",
            "VITRINE_HEALTH_HOST": "127.0.0.1",
            **{f"VITRINE_BLENDER_{n}": f"{network.address(host)}:{HTTP_PORT}" for n, host in enumerate(TWINS, 1)},
        }
        command = [str(HAPROXY), "-db", "-f", str(REPOSITORY / "docker" / "haproxy" / "haproxy.cfg")]
        self._add("balancer", FRONT, command, {**os.environ, **balancing})

    def _add(self, name: str, host: str, command: Sequence[str], environment: Mapping[str, str]) -> None:
        self.processes.add(name, host, [*self.network.within(host), *command], environment)

    def shards(self, host: str) -> list[dict[str, Any]]:
        """What the blender of that host shows of every replica."""
        found: list[dict[str, Any]] = httpx.get(f"{self.blenders[host]}/v1/index", timeout=10).json()["shards"]
        return found

    def is_whole(self) -> bool:
        """Whether every blender is ready and sees all replicas serve."""
        try:
            return httpx.get(f"{self.url}/readyz", timeout=10).status_code == 200 and all(
                httpx.get(f"{url}/readyz", timeout=10).status_code == 200
                and [each["health"] for each in self.shards(host)] == ["serving"] * (SHARDS * len(TWINS))
                for host, url in self.blenders.items()
            )
        except (httpx.HTTPError, KeyError):
            return False

    def await_whole(self, timeout_s: float = 180.0) -> None:
        until = time.monotonic() + timeout_s
        while not self.is_whole():
            assert time.monotonic() < until, f"not whole within {timeout_s:.0f} s"
            time.sleep(0.1)
