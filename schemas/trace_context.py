"""Which trace something belongs to, as headers of HTTP, gRPC and Kafka say it: the W3C's `traceparent`, version 00.

A record of Kafka may be made of several traced ones, as a batch of deltas is:
its header then holds theirs, with a space between.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from typing import NamedTuple

TRACEPARENT = "traceparent"
"""Name of the header."""
MOST_CONTEXTS = 32
"""Traces that one record of Kafka is followed for."""

_FORM = re.compile(r"(?!ff)([0-9a-f]{2})-((?!0{32})[0-9a-f]{32})-((?!0{16})[0-9a-f]{16})-([0-9a-f]{2})(-.*)?")
_SAMPLED = 1
_LONGEST = 256


class TraceContext(NamedTuple):
    """The trace, and the span that whatever comes next is a part of; hex of 16 and of 8 bytes, lower case.

    `sampled`: whether spans are recorded. What the first of a trace's services decided, all others keep to.
    """

    trace_id: str
    span_id: str
    sampled: bool = True

    def __str__(self) -> str:
        return f"00-{self.trace_id}-{self.span_id}-{self.sampled:02x}"


def read_context(value: str | bytes | None) -> TraceContext | None:
    """None for what is no `traceparent`, whatever it is: a stranger's header never fails a request.

    Of a later version, what this one knows is taken, as the W3C asks.
    """
    if not value or len(value) > _LONGEST:
        return None
    text = value.decode("latin-1") if isinstance(value, bytes) else value
    found = _FORM.fullmatch(text.strip())
    if found is None or (found[1] == "00" and found[5]):
        return None
    return TraceContext(found[2], found[3], bool(int(found[4], 16) & _SAMPLED))


def read_contexts(value: bytes | None) -> list[TraceContext]:
    """All contexts of a record's header that are sampled, each once, `MOST_CONTEXTS` at most."""
    parts = value.split(maxsplit=MOST_CONTEXTS)[:MOST_CONTEXTS] if value else []
    contexts = dict.fromkeys(map(read_context, parts))
    return [context for context in contexts if context is not None and context.sampled]


def contexts_header(contexts: Iterable[TraceContext]) -> bytes | None:
    """What `read_contexts` reads; None where there is none."""
    return " ".join(map(str, dict.fromkeys(contexts))).encode() or None
