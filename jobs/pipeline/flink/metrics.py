"""Flink's metric group behind the `Metrics` port."""

from __future__ import annotations

from typing import Any


class FlinkMetrics:
    """Names appear in the dashboard and in Prometheus. `group`: PyFlink's."""

    def __init__(self, group: Any) -> None:
        self._group = group
        self._counters: dict[str, Any] = {}
        self._gauges: dict[str, float] = {}

    def count(self, name: str, n: int = 1) -> None:
        counter = self._counters.get(name)
        if counter is None:
            counter = self._counters[name] = self._group.counter(name)
        counter.inc(n)

    def gauge(self, name: str, value: float) -> None:
        if name not in self._gauges:
            # Beam's gauges are whole numbers.
            self._group.gauge(name, lambda: int(self._gauges[name]))
        self._gauges[name] = value
