"""Flink's configuration folder, for the cluster and for the clients that submit jobs."""

from __future__ import annotations

import contextlib
import random
import re
import socket
from pathlib import Path

from cli.runtime.flink.access import flink_key
from cli.runtime.programs import LOOPBACK, flink_home, jars, python
from schemas.errors import OperatorError
from schemas.settings import Settings

DOORS_JAR = "vitrine-doors.jar"
_RPC_PORTS = range(32_100, 32_768)
"""Linux gives 32768 and above to sockets that ask for any port."""


def write_configuration(settings: Settings) -> None:
    """Writes all of it, and the folders that it names."""
    home, layout = flink_home(), settings.layout
    layout.make()
    for folder in ("tmp", "web", "blobs", "pid", "checkpoints"):
        (layout.flink / folder).mkdir(parents=True, exist_ok=True)
    flink_key(layout)
    text = flink_config(settings, _free_port(), _default_java_options(home))
    (layout.flink_conf / "config.yaml").write_text(text)
    for name in ("log4j-console.properties", "log4j-cli.properties"):
        (layout.flink_conf / name).write_text((home / "conf" / name).read_text())


def flink_config(settings: Settings, rpc_port: int, java_options: str) -> str:
    """`config.yaml`. All ports but the dashboard's and the reporter's are free ones; all are on the loopback address.

    Nothing can be submitted, cancelled or scaled in the dashboard, and the
    REST interface behind it answers only who may ask: see `doors_option` and
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
