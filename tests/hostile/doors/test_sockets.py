"""No process of a system, nor any that it starts, can be reached from another machine by default."""

from __future__ import annotations

import signal
import subprocess
import sys

import psutil

from cli.runtime.environment import child_environment
from cli.runtime.programs import REPOSITORY
from schemas.errors import TransientError
from tests.hostile.doors.sockets import Door, doors_of, processes_of
from tests.system import System, eventually

SOCKETS_OF_A_REGION = 6
"""gRPC servers that Beam opens for each Python worker."""


def test_every_socket_of_a_running_system_is_on_the_loopback_address(system: System) -> None:
    system.start()
    home = str(system.home)
    doors = doors_of(home)
    by_pid = {door.pid for door in doors}
    started = system.runtime.running()
    listening = {pid for name, pid in started.items() if name not in ("heartbeat", "watchdog", "supervisor")}
    assert listening <= by_pid, "a process whose sockets were not seen"
    assert not [door for door in doors if not door.is_loopback]
    ports = {door.port for door in doors}
    settings = system.settings
    assert {settings.http_port, settings.flink_port, settings.grpc_port, settings.metrics_port} <= ports
    task_manager = [door for door in doors if door.pid == system.pid("flink-taskmanager")]
    assert len(task_manager) >= 2 * SOCKETS_OF_A_REGION, "the servers for Python workers were not seen"
    assert len({process.pid for process in processes_of(home)}) > len(started), "workers belong to the system too"


def test_every_socket_of_a_batch_job_is_on_the_loopback_address(system: System) -> None:
    """It brings a Flink of its own, REST server and all."""
    system.start()
    command = [sys.executable, "-m", "cli.main", "replay", "--check"]
    client = subprocess.Popen(
        command,
        cwd=REPOSITORY,
        env=child_environment(system.settings),
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    seen: set[Door] = set()

    def all_open() -> bool:
        if client.poll() is not None:
            raise AssertionError(f"the replay ended with {client.returncode} before its sockets were seen")
        try:
            family = {child.pid for child in psutil.Process(client.pid).children(recursive=True)}
        except psutil.NoSuchProcess as error:
            raise TransientError("gone", str(error)) from error
        seen.update(door for door in doors_of(str(system.home)) if door.pid in family)
        java = [door for door in seen if door.program == "java"]
        return len(java) >= SOCKETS_OF_A_REGION

    try:
        eventually(all_open, "the batch job's Flink and Python worker listen", timeout_s=400, poll_s=0.2)
    finally:
        client.send_signal(signal.SIGINT)
        client.wait(60)
    assert not [door for door in seen if not door.is_loopback]
