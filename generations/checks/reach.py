"""Whether `index-deltas` still reaches back to the cut of a generation."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager

from generations.checks.contents import DELTAS
from messaging.ranges import LogReader
from schemas.errors import TransientError
from schemas.full_index.generation import Generation
from schemas.full_index.publish_report import PublishCheck

OpenDeltas = Callable[[Mapping[int, int | None]], LogReader]
"""From an offset on in each partition."""


def check_deltas(generation: Generation, open_deltas: OpenDeltas) -> PublishCheck:
    """Whether `index-deltas` still holds everything since the cut: without it no searcher could bring it up to date."""
    offsets = dict(enumerate(generation.delta_offsets))
    try:
        with opened(open_deltas, offsets) as reader:
            beginnings, ends = reader.beginning_offsets(), reader.end_offsets()
    except TransientError as error:
        return PublishCheck(name=DELTAS, passed=False, detail=f"{error}; vitrine start starts Kafka")
    for partition, offset in offsets.items():
        if not beginnings[partition] <= offset <= ends[partition]:
            detail = (
                f"partition {partition} of index-deltas holds offsets {beginnings[partition]} to {ends[partition]}, "
                f"the generation goes on from {offset}: it is too old, or of another log; build anew"
            )
            return PublishCheck(name=DELTAS, passed=False, detail=detail)
    behind = sum(ends[partition] - offset for partition, offset in offsets.items())
    return PublishCheck(name=DELTAS, passed=True, detail=f"{behind} records since the cut, all of them kept")


@contextmanager
def opened(open_deltas: OpenDeltas, offsets: Mapping[int, int]) -> Iterator[LogReader]:
    """A reader from these offsets on, closed in the end."""
    reader = open_deltas(offsets)
    try:
        yield reader
    finally:
        reader.close()
