"""The one shape of bounded work: a unit in, an answer out. `jobs.pipeline.flink.bounded` has Flink do it."""

from __future__ import annotations

from typing import Protocol, TypeVar

from jobs.pipeline.stage import Metrics

Unit = TypeVar("Unit", contravariant=True)
Answer = TypeVar("Answer", covariant=True)


class Work(Protocol[Unit, Answer]):
    """Done in a Flink worker, one unit at a time, from one thread.

    What `process` raises stops the task, and Flink tries the unit again:
    whatever a person has to change is an answer instead. A task that is run
    again answers its units again, so an answer must bear being taken twice.
    """

    def open(self, metrics: Metrics) -> None: ...

    def process(self, unit: Unit, /) -> Answer: ...

    def close(self) -> None: ...
