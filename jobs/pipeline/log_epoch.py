"""The epoch of `product-events`: it makes sequences grow on when the topic is deleted and created anew.

Kept in `home`, not in the catalogue store: a lost store is made anew from the
log, but sequences must not begin again below those that the shards hold.
"""

from __future__ import annotations

from pathlib import Path

import msgspec

from disk.durable import write_durably
from messaging.admin import topic_id
from schemas.access.kafka import Kafka
from schemas.ids import EPOCH_SHIFT
from schemas.log_epoch import LogEpoch, read_epoch
from schemas.topics import PRODUCT_EVENTS


def is_made_anew(kafka: Kafka, file: Path) -> bool:
    """Whether the topic is another one than that of the noted epoch; positions in that one mean nothing here."""
    known = read_epoch(file)
    return known is not None and known.topic_id != topic_id(kafka, PRODUCT_EVENTS)


def note_after_loss(kafka: Kafka, file: Path, newest: int) -> None:
    """Where the note was lost with its machine: a new epoch, above `newest`, the greatest sequence that is known.

    Events since the committed positions are then applied again, in their order, which leads to what they led to.
    """
    if read_epoch(file) is None:
        _note(file, LogEpoch(topic_id(kafka, PRODUCT_EVENTS), (newest >> EPOCH_SHIFT) + 1))


def current_epoch(kafka: Kafka, file: Path) -> int:
    """The epoch of the topic as it is now; a topic not seen before begins a new one, durably."""
    present = topic_id(kafka, PRODUCT_EVENTS)
    known = read_epoch(file)
    if known is not None and known.topic_id == present:
        return known.epoch
    epoch = LogEpoch(present, 0 if known is None else known.epoch + 1)
    _note(file, epoch)
    return epoch.epoch


def _note(file: Path, epoch: LogEpoch) -> None:
    file.parent.mkdir(parents=True, exist_ok=True)
    write_durably(file, msgspec.json.encode(epoch))
