"""The two processes of the cluster, and the environment of Flink's programs and clients."""

from __future__ import annotations

import os
from pathlib import Path

from cli.runtime.environment import child_environment, part_environment
from cli.runtime.flink.access import FlinkAccess
from cli.runtime.flink.configuration import write_configuration
from cli.runtime.flink.jvm import flink_variables, gateway_options, job_manager_command, task_manager_command
from cli.runtime.parts import Part
from cli.runtime.processes import Processes
from cli.runtime.programs import java, python
from schemas.layout import Layout
from schemas.settings import Settings

JOB_MANAGER = "flink-jobmanager"
TASK_MANAGER = "flink-taskmanager"


def cluster_parts(settings: Settings, processes: Processes) -> list[Part]:
    """Job manager and task manager, ready to start.

    The configuration is written unless either runs: then both must keep the
    address under which they find each other.
    """
    if processes.running(JOB_MANAGER) is None and processes.running(TASK_MANAGER) is None:
        write_configuration(settings)
    layout = settings.layout
    environment = part_environment(settings, **_flink_variables(layout))
    return [
        Part(name=JOB_MANAGER, command=job_manager_command(layout), environment=environment),
        Part(name=TASK_MANAGER, command=task_manager_command(layout), environment=environment),
    ]


def flink_environment(settings: Settings) -> dict[str, str]:
    """For Flink's programs and, inherited from the task manager, for our code in its Python workers."""
    return child_environment(settings, **_flink_variables(settings.layout))


def _flink_variables(layout: Layout) -> dict[str, str]:
    return {
        **flink_variables(),
        "FLINK_CONF_DIR": str(layout.flink_conf),
        "FLINK_LOG_DIR": str(layout.logs),
        "FLINK_IDENT_STRING": "vitrine",
        "JAVA_HOME": str(Path(java()).resolve().parents[1]),
        "PYFLINK_CLIENT_EXECUTABLE": python(),
        "PYFLINK_PYTHON": python(),
    }


def client_environment(settings: Settings, access: FlinkAccess) -> dict[str, str]:
    """For a client of Flink's: with the key of the Flink we run, and options for the JVM that PyFlink starts itself."""
    options = " ".join([os.environ.get("JVM_ARGS", ""), *gateway_options()]).strip()
    environment = {**flink_environment(settings), "JVM_ARGS": options}
    for name, value in access.headers().items():
        environment["FLINK_REST_CLIENT_HEADERS"] = f"{name}:{value}"
    return environment
