"""The epoch of `product-events`: it makes sequences grow on when the topic is deleted and created anew.

Kept in `home`, not in the catalogue store: a lost store is made anew from the
log, but sequences must not begin again below those that the shards hold.
"""

from __future__ import annotations

from pathlib import Path

import msgspec

from indexing.durable import write_durably
from messaging.admin import topic_id
from schemas.errors import CorruptError
from schemas.settings import Settings
from schemas.topics import PRODUCT_EVENTS


class LogEpoch(msgspec.Struct, frozen=True):
    """The topic (Kafka's id of it) whose offsets count under `epoch`."""

    topic_id: str
    epoch: int


def epoch_file(settings: Settings) -> Path:
    return settings.home_path / "log-epoch.json"


def current_epoch(settings: Settings) -> int:
    """The epoch of the topic as it is now; a topic not seen before begins a new one, durably."""
    file = epoch_file(settings)
    present = topic_id(settings.kafka, PRODUCT_EVENTS)
    known = read_epoch(file)
    if known is not None and known.topic_id == present:
        return known.epoch
    epoch = LogEpoch(present, 0 if known is None else known.epoch + 1)
    file.parent.mkdir(parents=True, exist_ok=True)
    write_durably(file, msgspec.json.encode(epoch))
    return epoch.epoch


def read_epoch(file: Path) -> LogEpoch | None:
    """What is written there. Raises `CorruptError` when it cannot be read."""
    if not file.exists():
        return None
    try:
        return msgspec.json.decode(file.read_bytes(), type=LogEpoch)
    except msgspec.MsgspecError as error:
        raise CorruptError(
            f"{file} does not decode ({error}); restore it, or rebuild the stores from the log"
        ) from error
