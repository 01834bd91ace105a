"""What the supervisor starts for every part: `python -m cli.runtime.launch NAME`.

It ends what a killed predecessor left behind (say, Flink's Python workers),
writes the process record, and *becomes* the part (`exec`): no process stays
between the supervisor and the part.

Where the part runs already, because its supervisor was killed and this is
the next one, it is **adopted**: nothing is started, and this process lives
as long as the adopted one, so that its death is the supervisor's to mend.
"""

from __future__ import annotations

import contextlib
import os
import select
import signal
import sys
from collections.abc import Sequence
from pathlib import Path
from types import FrameType

from cli.runtime.parts import Part, read_part
from cli.runtime.processes import Processes, ProcessRecord
from schemas.errors import OperatorError
from schemas.layout import Layout

ENDED = 1


def main(arguments: Sequence[str]) -> int:
    (name,) = arguments
    layout = Layout(Path(os.environ["VITRINE_HOME"]))
    processes = Processes(layout)
    _write_to(processes.log_file(name))
    try:
        part = read_part(layout, name)
        running = processes.running(name)
        if running is not None:
            return adopt(running)
        processes.become(name, part.command)
        execute(part)
    except (OperatorError, OSError) as error:
        print(f"{name}: cannot be started: {error}; run `make setup` where a program is missing", file=sys.stderr)
    return ENDED


def execute(part: Part) -> None:
    """Replaces this process. Raises `OSError` when the program cannot be executed."""
    environment = {**os.environ, **part.environment}
    os.execvpe(part.command[0], part.command, environment)


def adopt(record: ProcessRecord) -> int:
    """Waits for the end of a process that is not our child; SIGTERM and SIGINT are passed on to it."""
    print(f"{record.name}: process {record.pid} runs already and is adopted", file=sys.stderr, flush=True)

    def pass_on(number: int, _frame: FrameType | None) -> None:
        with contextlib.suppress(ProcessLookupError):
            os.kill(record.pid, number)

    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, pass_on)
    with contextlib.suppress(ProcessLookupError):
        watched = os.pidfd_open(record.pid)
        # The descriptor is of whoever has the number now: that it is still the recorded process is asked after it.
        if Processes(Layout(Path(os.environ["VITRINE_HOME"]))).running(record.name) == record:
            select.select([watched], [], [])
    return ENDED


def _write_to(log_file: Path) -> None:
    """Output goes to the log itself and not through the supervisor, which may die before the part."""
    log_file.parent.mkdir(parents=True, exist_ok=True)
    descriptor = os.open(log_file, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o644)
    for standard in (1, 2):
        os.dup2(descriptor, standard)
    os.close(descriptor)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
