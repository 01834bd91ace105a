"""What the rest of Vitrine sees of tracing: a tracer, and the spans that it begins. Plain Python."""

from __future__ import annotations

import random
from collections.abc import Iterable, Mapping
from enum import Enum
from typing import Protocol

from schemas.trace_context import TraceContext

Attributes = Mapping[str, str | int | float]
"""By OpenTelemetry's names where it has one. Never texts, photos, vectors or ids as they are (docs/operations.md)."""


class Kind(Enum):
    """What a span is of: a request answered or made, a record written or worked on."""

    SERVER = "server"
    CLIENT = "client"
    PRODUCER = "producer"
    CONSUMER = "consumer"


class Span(Protocol):
    """Begun, and to be ended once by whoever began it. Any thread."""

    @property
    def context(self) -> TraceContext:
        """For what follows from it."""

    def name(self, name: str) -> None:
        """What is known only now, as the route is."""

    def add(self, attributes: Attributes) -> None: ...

    def end(self, problem: str = "", ended_ns: int | None = None) -> None:
        """`problem`: a reason, in a word; empty where all went well. `ended_ns`: Unix time, by default now."""


class Tracer(Protocol):
    """Hands spans to a collector, behind whoever does the work: no method waits, or raises for a collector's sake.

    What the collector does not take is given up, and counted in `dropped`.
    """

    ratio: float
    """Share of what comes without a trace that one is begun for."""

    @property
    def sent(self) -> int:
        """Spans that the collector has taken."""

    @property
    def dropped(self) -> int:
        """Spans that were given up: the collector did not take them, or too many waited for it."""

    def begin(
        self,
        name: str,
        kind: Kind,
        parent: TraceContext | None,
        attributes: Attributes,
        *,
        links: Iterable[TraceContext] = (),
        began_ns: int | None = None,
    ) -> Span:
        """A part of `parent`'s trace, or the first span of one. `links`: what else was worked on at once."""

    def drop(self, spans: int) -> None:
        """Counts spans that were not even begun, since there were too many."""

    def close(self) -> None:
        """Sends what waits, for a moment at most."""


def is_traced(tracer: Tracer, parent: TraceContext | None) -> bool:
    """Whether what came in with `parent`, or with nothing, gets a span: the sender's decision counts, else chance."""
    return random.random() < tracer.ratio if parent is None else parent.sampled
