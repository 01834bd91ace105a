"""What one partition's part of a batch comes to, before it is worded as records."""

from __future__ import annotations

from dataclasses import dataclass, field

from jobs.pipeline.given_vectors import GivenVectors
from schemas.events.record import ProductRecord


@dataclass(slots=True)
class Work:
    """By product: its record, and which of its images changed, want a vector, or bring one."""

    records: dict[str, ProductRecord | None]
    dirty: set[str] = field(default_factory=set)
    touched: dict[str, set[str]] = field(default_factory=dict)
    wanted: dict[str, set[str]] = field(default_factory=dict)
    erased: set[str] = field(default_factory=set)
    replayed: set[str] = field(default_factory=set)
    given: GivenVectors = field(default_factory=GivenVectors)

    def note(self, product_id: str, changed: set[str], wanted: set[str]) -> None:
        if changed:
            self.touched.setdefault(product_id, set()).update(changed)
        if wanted:
            self.wanted.setdefault(product_id, set()).update(wanted)
