"""The epoch of `product-events` as it is written down, in `Layout.log_epoch` next to the stores.

The client that submits the job writes it (jobs/pipeline/log_epoch.py), before
any record of that epoch can be; whoever has the same home can know by it
which epochs there are.
"""

from __future__ import annotations

import logging
import time
from collections.abc import Callable
from pathlib import Path

import msgspec

from schemas.errors import CorruptError

log = logging.getLogger(__name__)

LOOK_S = 1.0


class LogEpoch(msgspec.Struct, frozen=True):
    """The topic (Kafka's id of it) whose offsets count under `epoch`."""

    topic_id: str
    epoch: int


def read_epoch(file: Path) -> LogEpoch | None:
    """What is written there; None where nothing is. Raises `CorruptError` when it cannot be read."""
    if not file.exists():
        return None
    try:
        return msgspec.json.decode(file.read_bytes(), type=LogEpoch)
    except msgspec.MsgspecError as error:
        raise CorruptError(
            f"{file} does not decode ({error}); restore it, or rebuild the stores from the log"
        ) from error


class Epochs:
    """Which epochs there are, by the file; it is read again when a later one turns up, at most once in `LOOK_S`.

    Where there is no file (a searcher on a machine of its own), none is
    doubted; nor are any while it cannot be read. One thread.
    """

    def __init__(self, file: Path, clock: Callable[[], float] = time.monotonic) -> None:
        self._file = file
        self._clock = clock
        self._newest: int | None = -1
        self._look_at = 0.0

    def has(self, epoch: int) -> bool:
        """Whether sequences of that epoch (from 0) may be met."""
        if self._newest is not None and epoch <= self._newest:
            return True
        if self._clock() >= self._look_at:
            self._look_at = self._clock() + LOOK_S
            try:
                found = read_epoch(self._file)
            except (CorruptError, OSError) as error:
                log.warning("event=epoch_unreadable file=%s next=all_believed problem=%s", self._file, error)
                found = None
            self._newest = None if found is None else found.epoch
        return self._newest is None or epoch <= self._newest
