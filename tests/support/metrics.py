"""The `Metrics` port as plain dictionaries."""

from __future__ import annotations

from collections import Counter


class CountingMetrics:
    def __init__(self) -> None:
        self.counts: Counter[str] = Counter()
        self.gauges: dict[str, float] = {}

    def count(self, name: str, n: int = 1) -> None:
        self.counts[name] += n

    def gauge(self, name: str, value: float) -> None:
        self.gauges[name] = value
