"""What the processes of a system hold of the machine: memory, files, threads, children, temporary files."""

from __future__ import annotations

import tempfile
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import psutil

from tests.system import System

_MIB = 2**20


@dataclass(frozen=True, slots=True)
class Holding:
    """One process. `memory`: bytes resident; `temporary`: files it holds open in the machine's temporary folder."""

    pid: int
    memory: int
    files: int
    threads: int
    temporary: int = 0

    def __str__(self) -> str:
        return (
            f"{self.memory // _MIB} MiB, {self.files} files, {self.threads} threads, {self.temporary} temporary files"
        )


def holdings(system: System) -> dict[str, Holding]:
    """By name; Flink's Python workers and the extraction child, which have no names of their own, by their kind."""
    found = {}
    for name, process in _processes(system):
        try:
            with process.oneshot():
                found[name] = Holding(
                    process.pid,
                    process.memory_info().rss,
                    process.num_fds(),
                    process.num_threads(),
                    sum(_is_temporary(file.path, system.home) for file in process.open_files()),
                )
        except psutil.NoSuchProcess:
            continue
    return found


def zombies(system: System) -> list[str]:
    """Ended children that their parent has not taken leave of."""
    found = []
    for name, pid in system.runtime.running().items():
        for child in psutil.Process(pid).children(recursive=True):
            try:
                if child.status() == psutil.STATUS_ZOMBIE:
                    found.append(f"{name}: {child.name()} {child.pid}")
            except psutil.NoSuchProcess:
                continue
    return found


def _processes(system: System) -> Iterator[tuple[str, psutil.Process]]:
    for name, pid in system.runtime.running().items():
        yield name, psutil.Process(pid)
    for number, worker in enumerate(system.python_workers()):
        yield f"python-worker-{number}", worker
    if (child := system.extraction_child()) is not None:
        yield "extraction-child", child


def _is_temporary(path: str, home: Path) -> bool:
    """In the machine's temporary folder, but for the logs of RocksDB secondaries: those go with their process."""
    file, root = Path(path), Path(tempfile.gettempdir())
    if not file.is_relative_to(root) or file.is_relative_to(home):
        return False
    return not file.relative_to(root).parts[0].startswith("vitrine-secondaries-")
