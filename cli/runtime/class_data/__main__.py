"""Makes the archives: `python -m cli.runtime.class_data`.

Kafka, Flink, the streaming job and a replay live once, on free ports and in a
folder of their own, and write down which classes they load. The archives are made of
those afterwards, by JVMs that run nothing.
"""

from __future__ import annotations

import contextlib
import io
import random
import shutil
import socket
import subprocess
import sys
import tempfile
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from cli.runtime.class_data import class_data, recording
from cli.runtime.flink.access import FlinkAccess
from cli.runtime.flink.batch_client import BatchClient
from cli.runtime.flink.job import job_runs
from cli.runtime.programs import LOOPBACK, java
from cli.runtime.progress import Progress
from cli.runtime.system import JOB_TIMEOUT_S, System
from schemas.errors import OperatorError, VitrineError
from schemas.settings import Settings, load_settings

_PORTS = 32


def main() -> int:
    folder = class_data()
    draft = folder.with_name(f"{folder.name}.new")
    shutil.rmtree(draft, ignore_errors=True)
    draft.mkdir(parents=True)
    try:
        with tempfile.TemporaryDirectory(prefix="vitrine-") as home, recording(Path(home)) as recorded:
            _run(_settings(home))
            with ThreadPoolExecutor(2) as pool:
                made = [
                    pool.submit(_archive, recorded.classes(program), class_path, draft / f"{program}.jsa")
                    for program, class_path in recorded.programs.items()
                ]
            for each in made:
                each.result()
    except VitrineError as error:
        print(f"class data: {error}", file=sys.stderr)
        return 1
    shutil.rmtree(folder, ignore_errors=True)
    draft.rename(folder)
    return 0


def _run(settings: Settings) -> None:
    system = System(settings, Progress(io.StringIO()))
    try:
        system.start_flink()
        system.submit_job()
        _await_job(FlinkAccess.of(settings))
        client = BatchClient(settings, "replay", ())
        # Of an empty log, without shards to compare: 1 says that these are missing.
        if (code := client.run(["--check", "--wait", "0"], cluster=False, waiting=lambda: None)) not in (0, 1):
            raise client.failure(code)
    finally:
        system.stop()


def _archive(classes: Path, class_path: str, archive: Path) -> None:
    options = ["-Xshare:dump", "-XX:+UseG1GC", f"-XX:SharedClassListFile={classes}", f"-XX:SharedArchiveFile={archive}"]
    command = [java(), *options, "-Xlog:cds=off", "-Xlog:cds+heap=off", "-cp", class_path]
    made = subprocess.run(command, capture_output=True, text=True, check=False, stdin=subprocess.DEVNULL)
    if made.returncode != 0:
        raise OperatorError(f"no archive {archive.name}: {(made.stderr or made.stdout).strip()[-300:]}")


def _await_job(flink: FlinkAccess) -> None:
    deadline = time.monotonic() + JOB_TIMEOUT_S
    while not job_runs(flink):
        if time.monotonic() > deadline:
            raise OperatorError(f"the streaming job does not run after {JOB_TIMEOUT_S:.0f} s")
        time.sleep(0.2)


def _settings(home: str) -> Settings:
    first = _free_ports()
    ports = {"http_port": 0, "kafka_port": 1, "flink_port": 3, "grpc_port": 4, "metrics_port": 16}
    return load_settings({}, home=home, **{name: first + offset for name, offset in ports.items()})


def _free_ports() -> int:
    """The first of `_PORTS` in a row that nobody holds."""
    for first in random.sample(range(20_000, 32_000, _PORTS), 100):
        with contextlib.ExitStack() as held:
            try:
                for port in range(first, first + _PORTS):
                    held.enter_context(socket.create_server((LOOPBACK, port)))
            except OSError:
                continue
            return first
    raise OperatorError("there are no free ports to start a system on; end what holds them")


if __name__ == "__main__":
    sys.exit(main())
