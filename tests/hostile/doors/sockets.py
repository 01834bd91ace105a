"""Which addresses the processes of a system listen on."""

from __future__ import annotations

import ipaddress
import socket
from collections.abc import Iterator
from dataclasses import dataclass

import psutil

SOCKETS_OF_A_REGION = 6
"""gRPC servers that Beam opens for each Python worker."""


@dataclass(frozen=True, slots=True)
class Door:
    """A socket that somebody else can reach."""

    pid: int
    program: str
    ip: str
    port: int

    @property
    def is_loopback(self) -> bool:
        address = ipaddress.ip_address(self.ip)
        mapped = getattr(address, "ipv4_mapped", None)
        return (mapped or address).is_loopback


def processes_of(home: str) -> Iterator[psutil.Process]:
    """Every process whose environment names that home: what was started, and whatever that started."""
    for process in psutil.process_iter():
        try:
            if process.environ().get("VITRINE_HOME") == home:
                yield process
        except (psutil.NoSuchProcess, psutil.AccessDenied, psutil.ZombieProcess):
            continue


def doors_of(home: str) -> list[Door]:
    """TCP sockets that listen, and UDP sockets that are connected to nobody."""
    doors = []
    for process in processes_of(home):
        try:
            program, connections = process.name(), process.net_connections("inet")
        except (psutil.NoSuchProcess, psutil.ZombieProcess):
            continue
        doors += [
            Door(process.pid, program, connection.laddr.ip, connection.laddr.port)
            for connection in connections
            if connection.status == psutil.CONN_LISTEN
            or (connection.type == socket.SOCK_DGRAM and connection.laddr and not connection.raddr)
        ]
    return doors


def doors_of_family(home: str, pid: int) -> list[Door]:
    """Those of that home's processes that process `pid` started, itself left out."""
    family = {child.pid for child in psutil.Process(pid).children(recursive=True)}
    return [door for door in doors_of(home) if door.pid in family]
