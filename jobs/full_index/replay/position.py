"""Where the last replay ended, and the catalogue that the log had made until there: kept together, moved together.

    <home>/replay/position.json        offsets, and the name of the base that stands for them
    <home>/replay/base-<run>/          that base: a catalogue store nobody writes any more
    <home>/replay/run-<run>/           copies of a replay under way; swept by the next one
    <home>/replay/reports/<run>.json   what each replay found

The position names its base, and replacing that one small file is what makes a
replay count: a replay killed before leaves the old pair, one killed after
leaves the new pair, and a folder that the position does not name is garbage.
"""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import msgspec

from disk.durable import write_durably
from disk.locks import locked
from schemas.errors import CorruptError, OperatorError


class ReplayPosition(msgspec.Struct, frozen=True, kw_only=True):
    """The base holds `product-events` (the topic of that id) up to, without, `ends[p]` of each partition."""

    topic_id: str
    epoch: int
    ends: list[int]
    base: str
    at_ms: int


class ReplayFolder:
    """The folder of one home's replays (`Layout.replay`). Use it under `lock`."""

    def __init__(self, path: Path) -> None:
        self.path = path

    @property
    def reports(self) -> Path:
        return self.path / "reports"

    def base(self, position: ReplayPosition) -> Path:
        return self.path / position.base

    def run(self, run_id: str) -> Path:
        return self.path / f"run-{run_id}"

    @contextmanager
    def lock(self) -> Iterator[None]:
        """One replay a home at a time; the kernel gives the lock up with the process, however it ends."""
        self.reports.mkdir(parents=True, exist_ok=True)
        under_way = OperatorError(f"another replay of {self.path.parent} is under way; wait until it has ended")
        with locked(self.path / "lock", otherwise=under_way):
            yield

    def position(self) -> ReplayPosition | None:
        """None before the first replay that counted. Raises `CorruptError` when it cannot be read."""
        file = self.path / "position.json"
        try:
            return msgspec.json.decode(file.read_bytes(), type=ReplayPosition)
        except FileNotFoundError:
            return None
        except msgspec.MsgspecError as error:
            raise CorruptError(f"{file} does not decode ({error}); remove it, the next replay begins anew") from error

    def sweep(self) -> None:
        """Removes what no position names: the copies of replays that were killed, bases left behind."""
        position = self.position()
        for pattern in ("run-*", "base-*"):
            for folder in self.path.glob(pattern):
                if position is None or folder.name != position.base:
                    shutil.rmtree(folder)

    def publish(self, run_id: str, truth: Path, position: ReplayPosition) -> None:
        """Makes `truth` (a folder of `run(run_id)`) the base of `position`, durably and at once."""
        truth.rename(self.base(position))
        write_durably(self.path / "position.json", msgspec.json.encode(position))
        self.sweep()
