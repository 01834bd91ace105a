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
from schemas.log_epoch import LogEpoch, read_epoch
from schemas.topics import PRODUCT_EVENTS


def current_epoch(kafka: Kafka, file: Path) -> int:
    """The epoch of the topic as it is now; a topic not seen before begins a new one, durably."""
    present = topic_id(kafka, PRODUCT_EVENTS)
    known = read_epoch(file)
    if known is not None and known.topic_id == present:
        return known.epoch
    epoch = LogEpoch(present, 0 if known is None else known.epoch + 1)
    file.parent.mkdir(parents=True, exist_ok=True)
    write_durably(file, msgspec.json.encode(epoch))
    return epoch.epoch
