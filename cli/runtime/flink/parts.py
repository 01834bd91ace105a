"""The processes of the cluster, and the environment of Flink's programs and clients.

Where extraction has machines of its own, each task manager offers what one of
the two jobs asks for (`jobs/realtime_index/placement.py`), so that none takes the other's.
"""

from __future__ import annotations

import os
from pathlib import Path

from cli.runtime.environment import child_environment, part_environment
from cli.runtime.flink.access import FlinkAccess
from cli.runtime.flink.configuration import task_slots, write_configuration
from cli.runtime.flink.jvm import flink_variables, gateway_options, job_manager_command, task_manager_command
from cli.runtime.parts import Part
from cli.runtime.processes import Processes
from cli.runtime.programs import java, python
from jobs.realtime_index.stream_jobs import EXTRACTION_JOB, STREAM_JOB, StreamJob
from schemas.layout import Layout
from schemas.settings import Settings

JOB_MANAGER = "flink-jobmanager"
TASK_MANAGER = "flink-taskmanager"
EXTRACTION_MANAGER = "flink-extraction"
"""The task manager that takes extraction alone."""


def cluster_names(settings: Settings) -> list[str]:
    """Job manager and task managers that one machine has of a system with these settings."""
    return [JOB_MANAGER, TASK_MANAGER, *([EXTRACTION_MANAGER] if settings.extraction_apart else [])]


def manager_of(job: StreamJob) -> str:
    """The task manager that takes this job."""
    return EXTRACTION_MANAGER if job == EXTRACTION_JOB else TASK_MANAGER


def cluster_parts(settings: Settings, processes: Processes) -> list[Part]:
    """Job manager and task managers, ready to start.

    The configuration is written unless one of them runs: then all must keep the
    address under which they find each other.
    """
    names = cluster_names(settings)
    if all(processes.running(name) is None for name in names):
        write_configuration(settings)
    layout = settings.layout
    commands = {
        JOB_MANAGER: job_manager_command(layout),
        TASK_MANAGER: taking_command(settings, STREAM_JOB),
        EXTRACTION_MANAGER: taking_command(settings, EXTRACTION_JOB),
    }
    environment = part_environment(settings, **_flink_variables(layout))
    return [Part(name=name, command=commands[name], environment=environment) for name in names]


def taking_command(settings: Settings, job: StreamJob) -> list[str]:
    """A task manager that takes this job; where extraction is apart, no other."""
    if not settings.extraction_apart:
        return task_manager_command(settings.layout)
    log = "extraction-0" if job == EXTRACTION_JOB else None
    return task_manager_command(settings.layout, offers={job.key: task_slots(settings)}, log=log)


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
