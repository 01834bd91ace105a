"""Several of each service behind a load balancer, as processes that are killed, stopped and started again.

For benchmarks and for tests, which share it.
"""

from __future__ import annotations

import json
import os
import shutil
import signal
import subprocess
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import IO

import httpx

from cli.runtime.programs import REPOSITORY, python
from schemas.errors import OperatorError

HAPROXY = shutil.which("haproxy") or shutil.which("haproxy", path="/usr/sbin")
BROKERS = BLENDERS = 2
DRAIN_S = 4.0
BALANCER = "balancer"
_WAIT_S = 120.0


@dataclass(frozen=True, slots=True)
class _Part:
    command: list[str]
    environment: dict[str, str]


class BalancedTier:
    """`searcher-S-R` of each shard and replica; `broker-0` and `-1`, which a file tells where they are; `blender-0` and
    `-1`, which know both brokers; `balancer`, by the configuration in docker/haproxy.

    `settings`: of all, by variable. Takes `ports(shards, replicas)` ports from `first_port` on.
    """

    def __init__(self, home: Path, settings: Mapping[str, str], first_port: int, shards: int, replicas: int) -> None:
        self.home = home
        self.shards, self.replicas = shards, replicas
        self._addresses = home / "searchers.json"
        after = first_port + 1 + shards * replicas
        brokers, blenders = (first_port, after), (after + 1, after + 2)
        self.port = after + 3
        self.blender_urls = [f"http://127.0.0.1:{port}" for port in blenders]
        self.searchers = [
            [f"127.0.0.1:{first_port + 1 + shard * replicas + replica}" for replica in range(replicas)]
            for shard in range(shards)
        ]
        self.list_searchers(self.searchers)
        common = {
            **os.environ,
            **settings,
            "VITRINE_HOME": str(home),
            "VITRINE_SHARDS": str(shards),
            "VITRINE_REPLICAS": str(replicas),
            "VITRINE_GRPC_PORT": str(first_port),
            "VITRINE_BROKER_ADDRESS": ",".join(f"127.0.0.1:{port}" for port in brokers),
            "VITRINE_HTTP_DRAIN_S": str(DRAIN_S),
        }
        self._parts = {
            f"searcher-{shard}-{replica}": _service(
                common, "searcher", "--shard", str(shard), "--replica", str(replica)
            )
            for shard in range(shards)
            for replica in range(replicas)
        }
        for number, port in enumerate(brokers):
            told = {"VITRINE_SEARCHER_ADDRESS": str(self._addresses), "VITRINE_GRPC_PORT": str(port)}
            self._parts[f"broker-{number}"] = _service({**common, **told}, "broker")
        for number, port in enumerate(blenders):
            self._parts[f"blender-{number}"] = _service({**common, "VITRINE_HTTP_PORT": str(port)}, "blender")
        balancing = {
            "VITRINE_LISTEN": f"127.0.0.1:{self.port}",
            "VITRINE_STATS": f"127.0.0.1:{self.port + 1}",
            "VITRINE_HEALTH_HOST": "127.0.0.1",
            **{f"VITRINE_BLENDER_{number + 1}": f"127.0.0.1:{port}" for number, port in enumerate(blenders)},
        }
        command = [str(HAPROXY), "-db", "-f", str(REPOSITORY / "docker" / "haproxy" / "haproxy.cfg")]
        self._parts[BALANCER] = _Part(command, {**os.environ, **balancing})
        self._running: dict[str, subprocess.Popen[bytes]] = {}
        self._logs: dict[str, IO[bytes]] = {}

    @staticmethod
    def ports(shards: int, replicas: int) -> int:
        """How many in a row it takes."""
        return 1 + shards * replicas + (BROKERS - 1) + BLENDERS + 2

    @property
    def url(self) -> str:
        """Of the balancer."""
        return f"http://127.0.0.1:{self.port}"

    def list_searchers(self, addresses: Sequence[Sequence[str]]) -> None:
        """From now on the brokers know these, by shard; said as a careful writer does: whole, under the old name."""
        beside = self._addresses.with_suffix(".new")
        beside.write_text(json.dumps(addresses))
        beside.replace(self._addresses)

    def start(self, *names: str) -> None:
        """All of them where none is named."""
        for name in names or self._parts:
            part = self._parts[name]
            log = self._logs.setdefault(name, (self.home / f"{name}.log").open("ab"))
            self._running[name] = subprocess.Popen(part.command, env=part.environment, stdout=log, stderr=log)

    @property
    def names(self) -> list[str]:
        """Of all parts."""
        return list(self._parts)

    @contextmanager
    def hung(self, name: str) -> Iterator[None]:
        """Stopped (SIGSTOP) for as long as the block takes."""
        process = self._running[name]
        process.send_signal(signal.SIGSTOP)
        try:
            yield
        finally:
            process.send_signal(signal.SIGCONT)

    def kill(self, name: str) -> None:
        process = self._running.pop(name)
        process.kill()
        process.wait(60)

    def terminate(self, name: str) -> int:
        """The exit code."""
        process = self._running.pop(name)
        process.send_signal(signal.SIGTERM)
        return process.wait(60)

    def log(self, name: str) -> str:
        return (self.home / f"{name}.log").read_text()

    def await_whole(self) -> None:
        """Until every blender is ready and hears from its broker that all replicas serve. Raises `OperatorError`."""
        deadline = time.monotonic() + _WAIT_S
        while not all(self._is_whole(url) for url in self.blender_urls):
            if time.monotonic() > deadline:
                raise OperatorError(f"not within {_WAIT_S:.0f} s: all of {', '.join(self._running)} serve")
            time.sleep(0.05)

    def stop(self) -> None:
        for process in self._running.values():
            process.kill()
        for process in self._running.values():
            process.wait(60)
        for log in self._logs.values():
            log.close()

    def _is_whole(self, url: str) -> bool:
        try:
            if httpx.get(f"{url}/readyz", trust_env=False).status_code != 200:
                return False
            entries = httpx.get(f"{url}/v1/index", trust_env=False).json()["shards"]
        except (httpx.HTTPError, KeyError):
            return False
        return [entry["health"] for entry in entries] == ["serving"] * (self.shards * self.replicas)


def _service(environment: Mapping[str, str], name: str, *options: str) -> _Part:
    return _Part([python(), "-m", f"serving.{name}", *options], dict(environment))
