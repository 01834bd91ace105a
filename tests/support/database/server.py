"""A real PostgreSQL of Debian's package, with a folder of its own on a free port (`make postgresql` installs it)."""

from __future__ import annotations

import os
import shutil
import subprocess
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import psycopg

from tests.ports import free_block

HERE = Path(__file__).parent
USER, PASSWORD, NAME = "keeper", "s3cret/word", "shop"
USER_OF_SERVER = "postgres"
"""Who runs it where we are root, for whom it refuses to start; Debian's package makes that user."""


def programs() -> Path | None:
    """The folder of initdb and postgres; None where PostgreSQL is not installed."""
    folders = sorted(Path("/usr/lib/postgresql").glob("*/bin"), key=lambda folder: int(folder.parent.name))
    if folders:
        return folders[-1]
    found = shutil.which("initdb")
    return None if found is None else Path(found).resolve().parent


class Postgres:
    """`url` has the password in it, escaped; `execute` runs statements, each in a transaction of its own."""

    def __init__(self, port: int) -> None:
        self.port = port
        self.url = f"postgresql://{USER}:{PASSWORD.replace('/', '%2F')}@127.0.0.1:{port}/{NAME}"

    def execute(self, *statements: str) -> None:
        with psycopg.connect(self.url, autocommit=True) as connection:
            for statement in statements:
                connection.execute(statement.encode())

    def run_file(self, name: str) -> None:
        """All statements of a file beside this one."""
        self.execute(*statements(name))


def statements(name: str) -> list[str]:
    """Of a file beside this one, without its comments."""
    lines = (HERE / name).read_text().splitlines()
    text = "\n".join(line for line in lines if not line.startswith("--"))
    return [statement.strip() for statement in text.split(";\n") if statement.strip()]


@contextmanager
def running() -> Iterator[Postgres]:
    """Returns once it answers; its folder goes with it."""
    bin_folder = programs()
    assert bin_folder is not None, "no PostgreSQL is installed: make postgresql"
    # Not below pytest's own folder, which that user may not enter.
    folder = Path(tempfile.mkdtemp(prefix="vitrine-postgres-"))
    as_user: dict[str, Any] = {}
    if os.getuid() == 0:
        shutil.chown(folder, USER_OF_SERVER, USER_OF_SERVER)
        as_user = {"user": USER_OF_SERVER, "group": USER_OF_SERVER, "extra_groups": []}
    try:
        password = folder / "password"
        password.write_text(PASSWORD)
        password.chmod(0o644)
        data = folder / "data"
        access = ["--auth=scram-sha-256", f"--username={USER}", f"--pwfile={password}"]
        subprocess.run(
            [bin_folder / "initdb", "--no-sync", "--encoding=UTF8", "--locale=C", *access, "--pgdata", data],
            check=True, stdout=subprocess.DEVNULL, cwd=folder, **as_user,
        )  # fmt: skip
        port = free_block(1)
        options = {
            "listen_addresses": "127.0.0.1", "port": port, "unix_socket_directories": "", "fsync": "off",
            "wal_level": "logical", "shared_buffers": "16MB", "timezone": "Europe/Berlin",
        }  # fmt: skip
        arguments = [f"-c{name}={value}" for name, value in options.items()]
        with (folder / "log").open("wb") as log:
            process = subprocess.Popen(
                [bin_folder / "postgres", "-D", data, *arguments], stdout=log, stderr=log, cwd=folder, **as_user
            )
        try:
            _await(port, process, folder / "log")
            yield Postgres(port)
        finally:
            process.terminate()
            process.wait(30)
    finally:
        shutil.rmtree(folder)


def _await(port: int, process: subprocess.Popen[bytes], log: Path) -> None:
    deadline = time.monotonic() + 60
    while True:
        try:
            with psycopg.connect(host="127.0.0.1", port=port, user=USER, password=PASSWORD, dbname="postgres") as first:
                first.autocommit = True
                first.execute(f"CREATE DATABASE {NAME}".encode())
                return
        except psycopg.OperationalError:
            assert process.poll() is None and time.monotonic() < deadline, log.read_text()
            time.sleep(0.05)
