"""Becoming a part under a supervisor that is not ours: systemd, or whoever runs a container.

`vitrine part NAME` is to them what `cli.runtime.launch` is to supervisord. It
ends what a killed predecessor left behind, writes the process record, by which
`vitrine status` and the watchdog find the part, and executes what `vitrine
start` would have started, with the same environment.
"""

from __future__ import annotations

import os

from cli.runtime import kafka
from cli.runtime.environment import child_environment
from cli.runtime.flink.parts import cluster_names, cluster_parts
from cli.runtime.home_encoder import remember_encoder
from cli.runtime.parts import Part
from cli.runtime.processes import Processes
from cli.runtime.services import service_parts, services
from cli.runtime.watchdog.part import NO_SUPERVISOR, watchdog_part
from cli.runtime.watchdog.state import NAME as WATCHDOG
from disk.locks import locked
from schemas.errors import OperatorError
from schemas.settings import Settings


def part_names(settings: Settings) -> list[str]:
    """Every part of a system with these settings, in the order in which they start."""
    own = [kafka.NAME] if settings.runs_kafka else []
    return [*own, *cluster_names(settings), WATCHDOG, *(service.name for service in services(settings))]


def become(settings: Settings, name: str) -> None:
    """Replaces this process by the part; returns never. Raises `OperatorError` when there is none, or when it runs."""
    layout = settings.layout
    layout.make()
    processes = Processes(layout)
    # One part at a time: of Flink's, whichever comes first writes the address that both find each other by.
    with locked(layout.run / "becoming.lock"):
        running = processes.running(name)
        if running is not None and running.pid != os.getpid():
            raise OperatorError(f"{name} runs already, as process {running.pid}: end it where it was started")
        part = _part(settings, processes, name)
        remember_encoder(settings)
        processes.become(name, part.command)
    os.chdir(layout.home)
    os.execvpe(part.command[0], part.command, {**child_environment(settings), **part.environment})


def _part(settings: Settings, processes: Processes, name: str) -> Part:
    if name not in part_names(settings):
        raise OperatorError(f"there is no part {name}; there are {', '.join(part_names(settings))}")
    if name == kafka.NAME:
        return kafka.broker_part(settings)
    if name == WATCHDOG:
        return watchdog_part(settings, NO_SUPERVISOR)
    parts = cluster_parts(settings, processes) if name in cluster_names(settings) else service_parts(settings)
    return next(part for part in parts if part.name == name)
