"""Class-data archives: what lets a JVM begin where an earlier one was, instead of reading 10,000 classes again.

They halve the processor time of a start (class-data sharing, JEP 310;
docs/adr/0038-what-a-start-costs.md). `make setup` makes one for each Java program
of ours (`python -m cli.runtime.class_data`). They fit one JVM and the very
jars: the JVM looks at that itself, and starts without where it differs.
"""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from pathlib import Path

from cli.runtime.programs import jar_folder


class Recording:
    """While it goes on, JVMs write into `folder` which classes they load. `programs`: class path by name."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.programs: dict[str, str] = {}

    def classes(self, program: str) -> Path:
        return self.folder / f"{program}.classes"


_recording: Recording | None = None


def class_data() -> Path:
    """The folder of the archives: with the jars that they are of, and gone with them."""
    return jar_folder() / "class-data"


def class_options(program: str, class_path: str) -> list[str]:
    """The class path, and the archive of `program`'s classes where there is one."""
    return [*archive_options(program, class_path), "-cp", class_path]


def archive_options(program: str, class_path: str) -> list[str]:
    """The archive alone, for a JVM that gets its class path from somebody else, who begins it with this one."""
    if _recording is not None:
        _recording.programs[program] = class_path
        return [f"-XX:DumpLoadedClassList={_recording.classes(program)}"]
    archive = class_data() / f"{program}.jsa"
    # That it is of other jars, or of another JVM, need not be said at each start.
    return [f"-XX:SharedArchiveFile={archive}", "-Xlog:cds=off"] if archive.exists() else []


@contextlib.contextmanager
def recording(folder: Path) -> Iterator[Recording]:
    """Of the JVMs whose commands are made meanwhile, in this process."""
    global _recording
    _recording = Recording(folder)
    try:
        yield _recording
    finally:
        _recording = None
