"""What an answer holds, query by query."""

from __future__ import annotations

from schemas.found import Hit, decode_found
from schemas.search_pb2 import SearchResponse


def lines(answer: SearchResponse) -> list[list[Hit]]:
    return decode_found(answer.found, len(answer.found.counts))


def hits(answer: SearchResponse) -> list[Hit]:
    """Of the only query."""
    (line,) = lines(answer)
    return line
