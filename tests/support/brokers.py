"""Several brokers of one Kafka on this machine: each a `vitrine part kafka` with a home of its own, as on machines."""

from __future__ import annotations

import json
import signal
import subprocess
import sys
from pathlib import Path
from typing import Any

from cli.runtime.environment import child_environment
from schemas.access.kafka import KafkaAccess
from schemas.settings import Settings, load_settings
from tests.hostile.doors.authority import Authority
from tests.ports import free_block


class Brokers:
    """Numbered from 1. `access`: of a client; `client`: the same as settings. Nothing runs before `start`."""

    def __init__(self, folder: Path, count: int = 3, **chosen: Any) -> None:
        """`chosen`: settings besides, alike for all."""
        self.numbers = range(1, count + 1)
        first = free_block(2 * count)
        self.addresses = [f"127.0.0.1:{first + 2 * place}" for place in range(count)]
        self._folder = folder
        self._authority = Authority(folder / "authority", "kafka")
        self._chosen = chosen
        self._running: dict[int, subprocess.Popen[bytes]] = {}
        self._certificates: dict[str, tuple[Path, Path]] = {}

    @property
    def client(self) -> dict[str, Any]:
        """Values for `load_settings` of whoever connects."""
        return {"kafka_bootstrap": ",".join(self.addresses), **self._encrypted("client"), **self._chosen}

    @property
    def access(self) -> KafkaAccess:
        return load_settings({}, home=str(self._folder / "client"), **self.client).kafka

    def settings(self, number: int, **chosen: Any) -> Settings:
        """Of the machine that runs that broker."""
        home = str(self._folder / f"machine-{number}")
        own = {**self.client, **self._encrypted(f"broker-{number}"), "kafka_node": number, **chosen}
        return load_settings({}, home=home, **own)

    def start(self, *numbers: int, **chosen: Any) -> None:
        """Returns at once. Those that run are left alone."""
        for number in numbers or self.numbers:
            if (before := self._running.get(number)) is not None and before.poll() is None:
                continue
            with (self._folder / f"kafka-{number}.log").open("ab") as log:
                self._running[number] = subprocess.Popen(
                    [sys.executable, "-m", "cli.main", "part", "kafka"],
                    env=child_environment(self.settings(number, **chosen)),
                    stdin=subprocess.DEVNULL,
                    stdout=log,
                    stderr=log,
                )

    def end(self, *numbers: int, by: int = signal.SIGTERM) -> None:
        """Those, or all; returns when they are gone."""
        ending = [self._running.pop(number) for number in numbers or list(self._running)]
        for broker in ending:
            broker.send_signal(by)
        for broker in ending:
            broker.wait(60)

    def kill(self, *numbers: int) -> None:
        self.end(*numbers, by=signal.SIGKILL)

    def said(self, number: int) -> str:
        return (self._folder / f"kafka-{number}.log").read_text(errors="replace")

    def controller(self) -> int:
        """Which of them leads the quorum, as the newest of their notes on disk says."""
        notes = []
        for number in self.numbers:
            log = Path(self.settings(number).home) / "kafka" / "data" / "__cluster_metadata-0"
            note = json.loads((log / "quorum-state").read_text())
            notes.append((int(note["leaderEpoch"]), int(note["leaderId"])))
        return max(notes)[1]

    def _encrypted(self, name: str) -> dict[str, str]:
        if name not in self._certificates:
            self._certificates[name] = self._authority.issue(name)
        certificate, key = self._certificates[name]
        return {
            "kafka_security_protocol": "SSL",
            "kafka_tls_ca": str(self._authority.certificate),
            "kafka_tls_certificate": str(certificate),
            "kafka_tls_key": str(key),
        }
