"""What there is of `product-events` at one moment."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class LogState:
    """`product-events` as it is: its id and epoch, oldest offset and end of each partition."""

    topic_id: str
    epoch: int
    beginnings: list[int]
    ends: list[int]
