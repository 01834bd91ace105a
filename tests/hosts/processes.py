"""Processes on hosts: what runs where, started, killed with all that they have started, and what they said."""

from __future__ import annotations

import subprocess
from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import IO

import psutil


@dataclass(frozen=True)
class _Part:
    host: str
    command: Sequence[str]
    environment: Mapping[str, str]


class HostProcesses:
    """Parts are named by what they are and their host: `broker on one`; each writes a log of that name in `folder`."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._parts: dict[str, _Part] = {}
        self._running: dict[str, subprocess.Popen[bytes]] = {}
        self._logs: dict[str, IO[bytes]] = {}

    def add(self, name: str, host: str, command: Sequence[str], environment: Mapping[str, str]) -> None:
        """`command`: as it is to be started here, so that it runs there."""
        self._parts[f"{name} on {host}"] = _Part(host, command, environment)

    def start(self, host: str = "") -> None:
        """All parts, or those of one host."""
        for name, part in self._parts.items():
            if host in ("", part.host):
                self._start(name)

    def keep(self) -> None:
        """Starts again what has ended by itself, as each host's supervisor does."""
        for name, process in list(self._running.items()):
            if process.poll() is not None:
                self._start(name)

    def kill(self, host: str) -> None:
        """The host loses power: all of its processes end at once."""
        dying = [self._running.pop(name) for name, part in self._parts.items() if part.host == host]
        families = [member for process in dying for member in _family(process.pid)]
        for member in families:
            with suppress(psutil.NoSuchProcess):
                member.kill()
        for process in dying:
            process.wait(60)

    def stop(self) -> None:
        for host in {part.host for name, part in self._parts.items() if name in self._running}:
            self.kill(host)
        for log in self._logs.values():
            log.close()

    def pid(self, name: str) -> int:
        return self._running[name].pid

    def log(self, name: str) -> str:
        return (self._folder / f"{name}.log").read_text(errors="replace")

    def _start(self, name: str) -> None:
        part = self._parts[name]
        log = self._logs.setdefault(name, (self._folder / f"{name}.log").open("ab"))
        self._running[name] = subprocess.Popen(part.command, env=part.environment, stdout=log, stderr=log)


def _family(pid: int) -> list[psutil.Process]:
    try:
        parent = psutil.Process(pid)
        return [parent, *parent.children(recursive=True)]
    except psutil.NoSuchProcess:
        return []
