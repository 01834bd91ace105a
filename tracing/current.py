"""Which trace the task that runs belongs to: set where a request comes in, read where the next one goes out."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar

from schemas.trace_context import TraceContext

_current: ContextVar[TraceContext | None] = ContextVar("trace", default=None)


def current() -> TraceContext | None:
    """Of the asyncio task or thread that asks; tasks that it starts have it as well."""
    return _current.get()


@contextmanager
def within(context: TraceContext | None) -> Iterator[None]:
    """What is done inside belongs to that span."""
    token = _current.set(context)
    try:
        yield
    finally:
        _current.reset(token)
