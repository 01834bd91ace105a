"""Flink's standalone cluster (one job manager, one task manager) and the little of its REST interface we need."""

from __future__ import annotations

import contextlib
import json
import os
import random
import re
import secrets
import socket
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Any

import httpx

from cli.runtime.environment import child_environment, part_environment
from cli.runtime.parts import Part
from cli.runtime.processes import Processes
from cli.runtime.programs import LOOPBACK, flink_home, jars, java, python
from schemas.errors import OperatorError, RejectedError, TransientError
from schemas.layout import Layout
from schemas.settings import Settings

JOB_MANAGER = "flink-jobmanager"
TASK_MANAGER = "flink-taskmanager"
LIVE_STATES = frozenset(("CREATED", "INITIALIZING", "RUNNING", "RESTARTING", "RECONCILING"))
ENDED_STATES = frozenset(("FAILED", "CANCELED", "FINISHED"))
SUBMIT_S = 60.0
DOORS_JAR = "vitrine-doors.jar"
KEY_HEADER = "X-Vitrine-Key"
_RPC_PORTS = range(32_100, 32_768)
"""Linux gives 32768 and above to sockets that ask for any port."""


def flink_config(settings: Settings, rpc_port: int, java_options: str) -> str:
    """`config.yaml`. All ports but the dashboard's and the reporter's are free ones; all are on the loopback address.

    Nothing can be submitted, cancelled or scaled in the dashboard, and the
    REST interface behind it answers only who may ask: see `doors_options` and
    docs/adr/0019-closed-doors.md.

    Memory: the JVMs together stay below 2.5 GB, since Flink's own defaults
    reserve 40 % of the task manager for state that we keep in RocksDB. Off the
    heap there is room for what passes to and from the Python workers: a batch
    of the longest events is a message of `max.partition.fetch.bytes` and more,
    which Beam keeps whole; none of it is used by short ones. The
    console, which we write to a file without end, gets warnings; all else goes
    to Flink's own rolling log, which the dashboard shows.

    A dead neighbour is noticed by the second heartbeat that cannot be
    delivered, a hanging one after the timeout; a task manager looks for a new
    job manager every second.
    """
    layout = settings.layout
    slots = max(4, 2 * settings.parallelism)
    last_metrics_port = min(settings.metrics_port + 9, 65535)
    return f"""\
jobmanager.rpc.address: {LOOPBACK}
jobmanager.rpc.port: {rpc_port}
jobmanager.bind-host: {LOOPBACK}
jobmanager.memory.process.size: 896m
jobmanager.memory.jvm-metaspace.size: 192m
jobmanager.execution.failover-strategy: region
blob.server.port: "0"
blob.storage.directory: {layout.flink / "blobs"}
rest.address: {LOOPBACK}
rest.bind-address: {LOOPBACK}
rest.port: {settings.flink_port}
rest.bind-port: "{settings.flink_port}"
rest.profiling.enabled: false
web.submit.enable: false
web.cancel.enable: false
web.rescale.enable: false
web.access-control-allow-origin: http://{LOOPBACK}:{settings.flink_port}
vitrine.doors.key-file: {layout.flink_key}
web.tmpdir: {layout.flink / "web"}
web.upload.dir: {layout.flink / "web"}
taskmanager.host: {LOOPBACK}
taskmanager.bind-host: {LOOPBACK}
taskmanager.rpc.port: "0"
taskmanager.data.port: 0
taskmanager.numberOfTaskSlots: {slots}
taskmanager.memory.process.size: 2112m
taskmanager.memory.task.off-heap.size: 512m
taskmanager.memory.managed.size: 128m
taskmanager.memory.network.min: 64m
taskmanager.memory.network.max: 64m
taskmanager.memory.jvm-metaspace.size: 256m
io.tmp.dirs: {layout.flink / "tmp"}
parallelism.default: {settings.parallelism}
python.executable: {python()}
python.client.executable: {python()}
execution.checkpointing.dir: {(layout.flink / "checkpoints").as_uri()}
restart-strategy.type: exponential-delay
restart-strategy.exponential-delay.initial-backoff: 500 ms
restart-strategy.exponential-delay.max-backoff: 10 s
restart-strategy.exponential-delay.backoff-multiplier: 1.5
restart-strategy.exponential-delay.reset-backoff-threshold: 1 min
heartbeat.interval: 1000
heartbeat.timeout: 20000
cluster.registration.error-delay: 1000
cluster.registration.max-timeout: 4000
slot.request.timeout: 120000
metrics.reporters: prom
metrics.reporter.prom.factory.class: org.apache.flink.metrics.prometheus.PrometheusReporterFactory
metrics.reporter.prom.port: {settings.metrics_port}-{last_metrics_port}
env.pid.dir: {layout.flink / "pid"}
env.java.opts.all: {doors_option()} {java_options} -Dconsole.log.level=WARN
"""


def doors_option() -> str:
    """Keeps every server of a JVM on the loopback address, and guards Flink's REST server in it."""
    jar = next((jar for jar in jars("doors") if jar.name == DOORS_JAR), None)
    if jar is None:
        raise OperatorError(f"{DOORS_JAR} is missing: remove .cache/done/jars and run `make setup`")
    if " " in str(jar):
        raise OperatorError(f"Flink's scripts cannot read {jar}: copy the jars to a path without spaces, VITRINE_JARS")
    return f"-javaagent:{jar}"


def cluster_parts(settings: Settings, processes: Processes) -> list[Part]:
    """Job manager and task manager, ready to start.

    The configuration is written unless either runs: then both must keep the
    address under which they find each other.
    """
    if processes.running(JOB_MANAGER) is None and processes.running(TASK_MANAGER) is None:
        write_configuration(settings)
    scripts = flink_home() / "bin"
    environment = part_environment(settings, **_flink_variables(settings.layout))
    return [
        Part(name=name, command=["bash", str(scripts / script), "start-foreground"], environment=environment)
        for name, script in ((JOB_MANAGER, "jobmanager.sh"), (TASK_MANAGER, "taskmanager.sh"))
    ]


def flink_environment(settings: Settings) -> dict[str, str]:
    """For Flink's scripts and, inherited from the task manager, for our code in its Python workers."""
    return child_environment(settings, **_flink_variables(settings.layout))


def _flink_variables(layout: Layout) -> dict[str, str]:
    return {
        "FLINK_HOME": str(flink_home()),
        "FLINK_CONF_DIR": str(layout.flink_conf),
        "FLINK_LOG_DIR": str(layout.logs),
        "FLINK_PID_DIR": str(layout.flink / "pid"),
        "FLINK_IDENT_STRING": "vitrine",
        "JAVA_HOME": str(Path(java()).resolve().parents[1]),
        "PYFLINK_CLIENT_EXECUTABLE": python(),
        "PYFLINK_PYTHON": python(),
    }


def client_environment(settings: Settings, access: FlinkAccess) -> dict[str, str]:
    """For a client of Flink's: little memory, no time spent on optimising itself, and the key of the Flink we run."""
    options = f"{os.environ.get('JVM_ARGS', '')} -Xmx384m -XX:+UseSerialGC -XX:TieredStopAtLevel=1".strip()
    environment = {**flink_environment(settings), "JVM_ARGS": options}
    for name, value in access.headers().items():
        environment["FLINK_REST_CLIENT_HEADERS"] = f"{name}:{value}"
    return environment


def flink_key(layout: Layout) -> str:
    """What a request must carry to change anything at the Flink of this home; made once, for its owner's eyes alone."""
    file = layout.flink_key
    if not file.exists():
        file.parent.mkdir(parents=True, exist_ok=True)
        draft = file.with_suffix(f".{os.getpid()}")
        with os.fdopen(os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "w") as out:
            out.write(secrets.token_hex(32))
        # Whole from its first moment, and another command's key, made meanwhile, stays.
        with contextlib.suppress(FileExistsError):
            file.hardlink_to(draft)
        draft.unlink()
    return file.read_text().strip()


@dataclass(frozen=True, slots=True)
class FlinkAccess:
    """Where a Flink is, host:port, and whose key opens what changes it: that of `ours`, of another Flink none."""

    address: str
    ours: Layout | None = None

    @classmethod
    def of(cls, settings: Settings, at: str | None = None) -> FlinkAccess:
        """The one at host:port `at`, by default the one that we run."""
        return cls(f"{LOOPBACK}:{settings.flink_port}", settings.layout) if at is None else cls(at)

    def headers(self) -> dict[str, str]:
        """What a request that changes something carries."""
        return {} if self.ours is None else {KEY_HEADER: flink_key(self.ours)}


class FlinkRest:
    """Flink's REST interface.

    Every method raises `TransientError('flink_unreachable', ...)` when nothing answers.
    """

    def __init__(self, access: FlinkAccess, *, timeout_s: float = 5.0) -> None:
        self.address = f"http://{access.address}"
        self._access = access
        self._client = httpx.Client(base_url=self.address, timeout=timeout_s, trust_env=False)

    def close(self) -> None:
        self._client.close()

    def __enter__(self) -> FlinkRest:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def slots(self) -> int:
        """Slots of all registered task managers."""
        return int(self._get("/overview")["slots-total"])

    def jobs(self) -> list[dict[str, Any]]:
        """All jobs the job manager remembers: `jid`, `name`, `state`, `start-time` (ms), tasks by state."""
        jobs: list[dict[str, Any]] = self._get("/jobs/overview")["jobs"]
        return jobs

    def live_job(self, name: str) -> dict[str, Any] | None:
        """The job of that name that runs or tries to."""
        return next((job for job in self.jobs() if job["name"] == name and job["state"] in LIVE_STATES), None)

    def job(self, job_id: str) -> dict[str, Any]:
        job: dict[str, Any] = self._get(f"/jobs/{job_id}")
        return job

    def running_tasks(self, job_id: str) -> tuple[int, int]:
        """(tasks that run, all tasks) of a job."""
        tasks = [vertex["tasks"] for vertex in self.job(job_id)["vertices"]]
        return sum(task["RUNNING"] for task in tasks), sum(sum(task.values()) for task in tasks)

    def failure(self, job_id: str) -> str | None:
        """The latest failure's first line, when the job ever failed."""
        entries = self._get(f"/jobs/{job_id}/exceptions?maxExceptions=1")["exceptionHistory"]["entries"]
        return root_cause(str(entries[0]["stacktrace"])) if entries else None

    def checkpoints(self, job_id: str) -> dict[str, Any]:
        counts: dict[str, Any] = self._get(f"/jobs/{job_id}/checkpoints")["counts"]
        return counts

    def submit(self, graph: bytes, jars: Sequence[str], artifacts: Mapping[str, str]) -> str:
        """Submits a job that was planned before (`jobs/realtime_index/kept_plan.py`); returns its id.

        Raises `RejectedError` when Flink refuses it.
        """
        request = {
            "executionPlanFileName": "plan.bin",
            "jobJarFileNames": [Path(jar).name for jar in jars],
            "jobArtifactFileNames": [
                {"entryName": name, "fileName": Path(artifact).name} for name, artifact in artifacts.items()
            ],
        }
        with contextlib.ExitStack() as opened:
            files: list[tuple[str, tuple[str, bytes | IO[bytes]]]] = [("plan", ("plan.bin", graph))]
            for path in map(Path, (*jars, *artifacts.values())):
                files.append((path.name, (path.name, opened.enter_context(path.open("rb")))))
            form = {"request": json.dumps(request)}
            response = self._request("POST", "/jobs", self._access.headers(), data=form, files=files, timeout=SUBMIT_S)
        return str(response.json()["jobUrl"]).rpartition("/")[2]

    def cancel(self, job_id: str, timeout_s: float = 30.0) -> None:
        """Cancels and waits for the end. Raises `TransientError('cancel_timeout', ...)`."""
        self._request("PATCH", f"/jobs/{job_id}?mode=cancel", self._access.headers())
        deadline = time.monotonic() + timeout_s
        while self.job(job_id)["state"] not in ENDED_STATES:
            if time.monotonic() > deadline:
                raise TransientError("cancel_timeout", f"job {job_id} did not end within {timeout_s:.0f} s")
            time.sleep(0.1)

    def _get(self, path: str) -> Any:
        return self._request("GET", path).json()

    def _request(self, method: str, path: str, headers: dict[str, str] | None = None, **body: Any) -> httpx.Response:
        try:
            response = self._client.request(method, path, headers=headers, **body)
            response.raise_for_status()
        except httpx.HTTPStatusError as error:
            reason = f"{self.address}{path}: {error.response.status_code} {error.response.text[:2000]}"
            if method == "POST":
                raise RejectedError("flink_refuses", reason) from error
            raise TransientError("flink_unreachable", reason) from error
        except httpx.HTTPError as error:
            raise TransientError(
                "flink_unreachable", f"{self.address}{path}: {error or type(error).__name__}"
            ) from error
        return response


def root_cause(text: str) -> str:
    """The most telling line of a Java stack trace or a client's output: Python's error, else the innermost cause."""
    lines = [line.strip() for line in text.splitlines() if line.strip()]
    python_errors = [line for line in lines if re.match(r"(?!org\.|java\.)[\w.]+(Error|Exception)\b", line)]
    causes = [line for line in lines if line.startswith("Caused by:")]
    return (python_errors[-1:] or causes[-1:] or lines[:1] or ["no output"])[-1][:500]


def write_configuration(settings: Settings) -> None:
    """Flink's configuration folder, for the cluster and for the client that submits the job."""
    home, layout = flink_home(), settings.layout
    layout.make()
    for folder in ("tmp", "web", "blobs", "pid", "checkpoints"):
        (layout.flink / folder).mkdir(parents=True, exist_ok=True)
    flink_key(layout)
    text = flink_config(settings, _free_port(), _default_java_options(home))
    (layout.flink_conf / "config.yaml").write_text(text)
    for name in ("log4j-console.properties", "log4j-cli.properties"):
        (layout.flink_conf / name).write_text((home / "conf" / name).read_text())


def _default_java_options(home: Path) -> str:
    """The module options that Flink's own configuration gives a JDK 17; taken from there, since they change."""
    found = re.search(r"^ {6}all: (--add-\S.*)$|^env\.java\.opts\.all: (.*)$", _text(home / "conf/config.yaml"), re.M)
    if found is None:
        raise OperatorError(f"{home}/conf/config.yaml lacks env.java.opts.all: run `make setup` to reinstall Flink")
    return next(group for group in found.groups() if group)


def _text(file: Path) -> str:
    with contextlib.suppress(FileNotFoundError):
        return file.read_text()
    return ""


def _free_port() -> int:
    """For the job manager, which binds it later, and again after its death: none of those that clients' sockets get."""
    for port in random.sample(_RPC_PORTS, len(_RPC_PORTS)):
        with socket.socket() as probe:
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            with contextlib.suppress(OSError):
                probe.bind((LOOPBACK, port))
                return port
    raise OperatorError(f"no port from {_RPC_PORTS[0]} to {_RPC_PORTS[-1]} is free for Flink; end what holds them")
