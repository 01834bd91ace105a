"""What is checked before anything starts, so that a wrong set-up is one clear line and not a log to read."""

from __future__ import annotations

import re
import shutil
import subprocess
import time
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import psutil

from cli.runtime.flink.parts import JOB_MANAGER
from cli.runtime.kafka import NAME as KAFKA
from cli.runtime.processes import Processes
from cli.runtime.programs import flink_home, jars, java
from cli.runtime.services import BLENDER, BROKER, searcher_name, searcher_shards
from feature_store.open import check_server
from generations.folder import Generations
from schemas.access.exposure import check_flink_exposure, check_grpc_exposure, check_http_exposure
from schemas.access.tier import TierAccess
from schemas.database.mapping import read_mapping
from schemas.errors import OperatorError
from schemas.layout import Layout
from schemas.settings import Settings
from serving.exposition import METRICS_PORT_OFFSET
from tracing.opening import check_tracing

GIB = 1024**3
MIN_DISK_BYTES = 3 * GIB
MIN_MEMORY_BYTES = 4 * GIB
MIN_JAVA = 17
LEAVING_S = 10.0
"""For a killed process of gigabytes to be gone whole, on a busy machine."""


def check(settings: Settings, processes: Processes, layout: Layout, *, only_kafka: bool = False) -> None:
    """Raises `OperatorError` for the first thing that would keep the missing processes from running."""
    check_java()
    if settings.runs_kafka:
        jars("kafka")
    if not only_kafka:
        check_http_exposure(settings)
        check_grpc_exposure(settings)
        check_flink_exposure(settings)
        check_server(settings)
        check_tracing(settings.trace_collector)
        if settings.database_topic:
            read_mapping(settings.database_mapping)
        jars("flink")
        flink_home()
    check_disk(layout.home)
    if not processes.names() and not only_kafka:
        check_memory()
    for port, setting, owner in _ports(settings, only_kafka):
        if processes.running(owner) is None:
            check_port(port, setting)


def check_searcher_ports(tier: TierAccess, processes: Processes, shards: int) -> None:
    """The same for searchers of `shards` shards alone, started beside a system that runs."""
    for port, setting, owner in _searcher_ports(tier, shards):
        if processes.running(owner) is None:
            check_port(port, setting)


def check_java() -> None:
    """A JDK or JRE of at least version 17, which Kafka 4 needs."""
    program = java()
    try:
        done = subprocess.run([program, "-version"], capture_output=True, text=True, timeout=30, check=False)
    except (OSError, subprocess.TimeoutExpired) as error:
        raise OperatorError(f"{program} does not run ({error}): install a JDK {MIN_JAVA}") from error
    major = java_major(done.stderr + done.stdout)
    if major is None or major < MIN_JAVA:
        found = (done.stderr or done.stdout).strip().splitlines()[:1]
        raise OperatorError(
            f"{program} is {found[0] if found else 'unknown'}: install a JDK {MIN_JAVA}, or set JAVA_HOME"
        )


def java_major(version_text: str) -> int | None:
    """17 of `openjdk version "17.0.15"`, 8 of `java version "1.8.0_402"`."""
    found = re.search(r'version "(?:1\.)?(\d+)', version_text)
    return int(found.group(1)) if found else None


def check_disk(folder: Path, needed: int = MIN_DISK_BYTES) -> None:
    existing = next(path for path in (folder, *folder.parents) if path.exists())
    free = shutil.disk_usage(existing).free
    if free < needed:
        raise OperatorError(
            f"{free / GIB:.1f} GiB free below {existing}, {needed / GIB:.0f} GiB are needed: "
            "free some, or set VITRINE_HOME to a folder on another disk"
        )


def check_memory(needed: int = MIN_MEMORY_BYTES) -> None:
    available = psutil.virtual_memory().available
    if available < needed:
        raise OperatorError(
            f"{available / GIB:.1f} GiB of memory available, {needed / GIB:.0f} GiB are needed: end something large"
        )


def check_port(port: int, setting: str) -> None:
    """Raises when somebody listens on `port`, naming the process (if we may see it) and the setting to change.

    A process that was killed holds its port a moment longer than it can be seen: that is waited for.
    """
    deadline = time.monotonic() + LEAVING_S
    while (listener := _listener(port)) is not None:
        if listener.pid is not None or time.monotonic() > deadline:
            raise OperatorError(f"port {port} is in use by {_holder(listener.pid)}, or set {setting} to another port")
        time.sleep(0.05)


def _listener(port: int) -> Any:
    """psutil's connection of whoever listens there."""
    for connection in psutil.net_connections(kind="tcp"):
        if connection.status == psutil.CONN_LISTEN and connection.laddr and connection.laddr.port == port:
            return connection
    return None


def _ports(settings: Settings, only_kafka: bool) -> Iterable[tuple[int, str, str]]:
    """(port, the variable that moves it, the process of ours that listens there)."""
    if (node := settings.own_broker) is not None:
        yield node.port, "VITRINE_KAFKA_BOOTSTRAP", KAFKA
        yield node.port + 1, "VITRINE_KAFKA_BOOTSTRAP (each broker uses the next port too)", KAFKA
    elif settings.runs_kafka:
        yield settings.kafka_port, "VITRINE_KAFKA_PORT", KAFKA
        yield settings.kafka_port + 1, "VITRINE_KAFKA_PORT (it and the next port are used)", KAFKA
    if only_kafka:
        return
    yield settings.flink_port, "VITRINE_FLINK_PORT", JOB_MANAGER
    yield settings.grpc_port, "VITRINE_GRPC_PORT", BROKER
    yield settings.grpc_port + METRICS_PORT_OFFSET, "VITRINE_GRPC_PORT (metrics: 1000 above)", BROKER
    shards = searcher_shards(Generations(settings.layout.generations), settings.shards)
    yield from _searcher_ports(settings.tier, shards)
    yield settings.http_port, "VITRINE_HTTP_PORT", BLENDER


def _searcher_ports(tier: TierAccess, shards: int) -> Iterable[tuple[int, str, str]]:
    for shard in range(shards):
        for replica in range(tier.replicas):
            port = tier.searcher_port(shard, replica)
            yield port, "VITRINE_GRPC_PORT (searchers use the ports after it)", searcher_name(shard, replica)
            metrics = port + METRICS_PORT_OFFSET
            yield metrics, "VITRINE_GRPC_PORT (metrics: 1000 above)", searcher_name(shard, replica)


def _holder(pid: int | None) -> str:
    """Who it is, and how to be rid of them."""
    if pid is None:
        return "a process of another user: have it ended"
    try:
        process = psutil.Process(pid)
        command = " ".join(process.cmdline())[:80] or process.name()
        home = process.environ().get("VITRINE_HOME")
    except (psutil.NoSuchProcess, psutil.AccessDenied):
        return f"process {pid}: end it"
    if home:
        return f"the Vitrine in {home} (process {pid}): stop it by VITRINE_HOME={home} vitrine stop"
    return f"process {pid} ({command}): end it"
