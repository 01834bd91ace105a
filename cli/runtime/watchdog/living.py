"""Whether every part lives: looked at several times a second, so that it must cost next to nothing while they do."""

from __future__ import annotations

from pathlib import Path

from cli.runtime.parts import wanted
from cli.runtime.processes import Processes
from schemas.layout import Layout


class Living:
    """The wanted parts of one home. Records are read anew only where a process is gone that was there before."""

    def __init__(self, layout: Layout, processes: Processes) -> None:
        self._layout = layout
        self._processes = processes
        self._pids: set[int] | None = None
        self._is_known = False

    def all_live(self) -> bool:
        """Whether each of them runs; false also once for one that has ended and runs again already."""
        if self._is_known and self._pids is not None and all(map(_lives, self._pids)):
            return True
        before, records = self._pids, [self._processes.running(name) for name in wanted(self._layout)]
        found = {record.pid for record in records if record is not None}
        self._pids, self._is_known = found if len(found) == len(records) else None, True
        return self._pids is not None and (before is None or before <= self._pids)

    def look_anew(self) -> None:
        """Has the next look read the records: parts may have been added, and a process id given to somebody else."""
        self._is_known = False


def _lives(pid: int) -> bool:
    """Whether there is such a process and it has not ended; what psutil would ask takes ten times as long."""
    try:
        stat = Path(f"/proc/{pid}/stat").read_bytes()
    except OSError:
        return False
    return stat.rpartition(b")")[2].split(maxsplit=1)[0] not in (b"Z", b"X")
