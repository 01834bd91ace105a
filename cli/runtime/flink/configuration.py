"""Flink's configuration folder, for the cluster and for the clients that submit jobs."""

from __future__ import annotations

import contextlib
import random
import socket
from collections.abc import Mapping

import msgspec

from cli.runtime.flink.access import flink_key
from cli.runtime.flink.jvm import JOB_MANAGER_MEMORY, TASK_MANAGER_MEMORY, java_options
from cli.runtime.programs import LOOPBACK, flink_home, python
from jobs.pipeline.flink.kafka_properties import connector_properties
from jobs.pipeline.flink.loading import WORKER_PYTHON
from schemas.access.exposure import check_flink_exposure
from schemas.access.flink import FlinkNetwork
from schemas.errors import OperatorError
from schemas.settings import Settings

_RPC_PORTS = range(32_100, 32_768)
"""Linux gives 32768 and above to sockets that ask for any port."""


def write_configuration(settings: Settings) -> None:
    """Writes all of it, the folders that it names, and what Kafka's clients in the task manager get in by."""
    check_flink_exposure(settings)
    home, layout = flink_home(), settings.layout
    layout.make()
    connector_properties(settings.kafka)
    for folder in ("tmp", "web", "blobs", "checkpoints"):
        (layout.flink / folder).mkdir(parents=True, exist_ok=True)
    flink_key(layout)
    network = settings.flink_network
    text = flink_config(settings, _free_port() if network is None else network.port)
    file = layout.flink_conf / "config.yaml"
    file.touch(0o600)
    file.chmod(0o600)  # the keystore's password may stand in it
    file.write_text(text)
    for name in ("log4j-console.properties", "log4j-cli.properties"):
        (layout.flink_conf / name).write_text((home / "conf" / name).read_text())


def flink_config(settings: Settings, rpc_port: int) -> str:
    """`config.yaml`. All ports but the dashboard's and the reporter's are free ones; all are on the loopback address.

    Of a Flink over several machines (`schemas.access.flink`) those by which its processes reach each other are not,
    and want a key.

    Nothing can be submitted, cancelled or scaled in the dashboard, and the
    REST interface behind it answers only who may ask: see `doors_option` and
    docs/adr/0019-closed-doors.md.

    The console, which we write to a file without end, gets warnings; all else
    goes to Flink's own rolling log, which the dashboard shows.

    A dead neighbour is noticed by the second heartbeat that cannot be
    delivered, a hanging one after the timeout; a task manager looks for a new
    job manager every second.
    """
    layout = settings.layout
    slots = task_slots(settings)
    network = settings.flink_network or FlinkNetwork(LOOPBACK, rpc_port, LOOPBACK)
    last_metrics_port = min(settings.metrics_port + 9, 65535)
    return f"""\
jobmanager.rpc.address: {network.manager}
jobmanager.rpc.port: {rpc_port}
jobmanager.bind-host: {network.own}
{_memory("jobmanager", JOB_MANAGER_MEMORY)}
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
taskmanager.host: {network.own}
taskmanager.bind-host: {network.own}
taskmanager.rpc.port: "0"
taskmanager.data.port: 0
taskmanager.numberOfTaskSlots: {slots}
taskmanager.cpu.cores: {slots}
{_memory("taskmanager", TASK_MANAGER_MEMORY)}
io.tmp.dirs: {layout.flink / "tmp"}
parallelism.default: {settings.parallelism}
classloader.parent-first-patterns.additional: org.apache.beam.
python.executable: {WORKER_PYTHON}
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
env.java.opts.all: {" ".join(java_options())} -Dconsole.log.level=WARN
{_between_machines(settings.flink_network)}"""


def task_slots(settings: Settings) -> int:
    """Slots of a task manager: as the setting says, else as many as a job needs and as many again."""
    return settings.task_slots or max(4, 2 * max(settings.parallelism, settings.extraction_parallelism))


def _between_machines(network: FlinkNetwork | None) -> str:
    """Subtasks are spread over the task managers, so that each has its share; and who holds the key gets in."""
    if network is None:
        return ""
    spread = "taskmanager.load-balance.mode: SLOTS\n"
    if not network.keystore:
        return spread
    password = msgspec.json.encode(network.password()).decode()
    return f"""\
{spread}security.ssl.internal.enabled: true
security.ssl.internal.keystore: {network.keystore}
security.ssl.internal.keystore-password: {password}
security.ssl.internal.key-password: {password}
security.ssl.internal.truststore: {network.keystore}
security.ssl.internal.truststore-password: {password}
"""


def _memory(process: str, sizes: Mapping[str, int]) -> str:
    return "\n".join(f"{process}.memory.{name}: {size}m" for name, size in sizes.items())


def _free_port() -> int:
    """For the job manager, which binds it later, and again after its death: none of those that clients' sockets get."""
    for port in random.sample(_RPC_PORTS, len(_RPC_PORTS)):
        with socket.socket() as probe:
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            with contextlib.suppress(OSError):
                probe.bind((LOOPBACK, port))
                return port
    raise OperatorError(f"no port from {_RPC_PORTS[0]} to {_RPC_PORTS[-1]} is free for Flink; end what holds them")
