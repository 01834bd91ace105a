"""No process of a system, nor any that it starts, can be reached from another machine by default.

A batch job brings a Flink of its own: `tests/e2e/test_replay.py` looks at one that is there anyway.
"""

from __future__ import annotations

from cli.runtime.programs import jar_folder
from tests.hostile.doors.sockets import SOCKETS_OF_A_REGION, doors_of, processes_of
from tests.system import System


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
    if (jar_folder() / "unpacked").exists():
        again = [file for file in settings.layout.flink.rglob("flink-rpc-akka*.jar") if file.stat().st_size]
        assert not again, "Flink found no RPC system on its class path, and unpacked one"
