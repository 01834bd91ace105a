"""Where a build works, and how its result becomes a generation: by one rename, or sent with its manifest last.

    <generations>/.builds.lock          held by the build under way
    <generations>/.build-<name>/        the generation until it is whole
    <home>/build/work/                  copies of the stores, results and progress of its jobs
    <home>/build/latest.json            the name of the generation that the last build here made

A build that was killed leaves `.build-<name>` and the work; the next one
removes both. With an object store `<generations>` is the folder of this
machine's copies. The copies of the stores lie in the home, with the stores, so that they are
hard links wherever the generations are.
"""

from __future__ import annotations

import logging
import shutil
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import msgspec

from disk.durable import write_durably
from disk.locks import locked
from generations.folder import Generations
from schemas.errors import OperatorError
from schemas.full_index.generation import Generation
from schemas.layout import Layout

log = logging.getLogger(__name__)

LOCK = ".builds.lock"
UNFINISHED = ".build-"
LATEST = "latest.json"

_REMOVALS = 50
_REMOVAL_PAUSE_S = 0.2


class BuildFolder:
    """The places of one home's builds. Use it under `lock`."""

    def __init__(self, layout: Layout) -> None:
        self.generations = Generations(layout.generations)
        self.path = layout.build

    @property
    def work(self) -> Path:
        return self.path / "work"

    def unfinished(self, name: str) -> Path:
        """Where the shards of generation `name` are built."""
        return self.generations.folder / f"{UNFINISHED}{name}"

    @contextmanager
    def lock(self) -> Iterator[None]:
        """One build of a folder of generations at a time; the kernel gives the lock up with the process."""
        self.generations.folder.mkdir(parents=True, exist_ok=True)
        self.path.mkdir(parents=True, exist_ok=True)
        under_way = OperatorError(f"another build into {self.generations.where} is under way; wait until it has ended")
        with locked(self.generations.folder / LOCK, otherwise=under_way):
            yield

    def sweep(self) -> None:
        """Removes what builds that were killed left behind."""
        left = [*self.generations.folder.glob(f"{UNFINISHED}*"), self.work]
        for folder in left:
            if folder.is_dir():
                log.info("event=build_swept folder=%s", folder)
                _remove(folder)

    def finish(self, generation: Generation) -> None:
        """Makes the unfinished folder a generation, whole and at once."""
        self.generations.add(self.unfinished(generation.name), generation)
        write_durably(self.path / LATEST, msgspec.json.encode({"generation": generation.name}))
        shutil.rmtree(self.work)


def _remove(folder: Path) -> None:
    """Also where a killed build's workers, which outlive it for moments, still write. Raises `OSError`."""
    for _ in range(_REMOVALS):
        try:
            shutil.rmtree(folder)
            return
        except OSError as error:
            log.info("event=build_folder_in_use folder=%s reason=%r", folder, str(error))
            time.sleep(_REMOVAL_PAUSE_S)
    shutil.rmtree(folder)


def latest_built(layout: Layout) -> str:
    """The generation that the last whole build of this home made; empty before the first."""
    try:
        found: dict[str, str] = msgspec.json.decode((layout.build / LATEST).read_bytes())
    except FileNotFoundError:
        return ""
    return found["generation"]
