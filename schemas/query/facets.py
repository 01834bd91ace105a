"""Facets: what a query asks to have counted, and the counts, as they travel between searcher, broker and blender."""

from __future__ import annotations

import math
from collections.abc import Sequence
from itertools import pairwise

import msgspec

from schemas.errors import RejectedError, TransientError
from schemas.query.body import MAX_FACETS, MAX_RANGES
from schemas.query.fields import Fields


class FacetWanted(msgspec.Struct, frozen=True):
    """Counts of one field. `ranges`: bounds of a numeric field's buckets, ascending, each once.

    `exclude_own`: counted as if the filter said nothing of the field (`schemas.query.scopes`).
    """

    field: str
    ranges: tuple[float, ...] = ()
    exclude_own: bool = False


class FacetCounts(msgspec.Struct):
    """Of the products that a query matches, how many have what, by one field.

    `values`, `counts`: keywords and the products that have each, in no order
    until they are merged; for a path every ancestor counts as well.
    `bucket_counts`: of a numeric field with bounds b0, b1, ..., the products
    below b0, from b0 to below b1, ..., from the last bound on; without bounds
    empty. `low`, `high`: the least and the greatest number, None where there is
    none. `products`: those that have any value of the field.
    """

    field: str
    values: list[str] = msgspec.field(default_factory=list)
    counts: list[int] = msgspec.field(default_factory=list)
    bucket_counts: list[int] = msgspec.field(default_factory=list)
    low: float | None = None
    high: float | None = None
    products: int = 0


def merge_facets(parts: Sequence[Sequence[FacetCounts]]) -> list[FacetCounts]:
    """Counts of all shards from those of each, which answered the same question; keywords by count, then by name.

    A product lies in one shard only, so counts add up. Raises
    `TransientError('other_version', ...)` where the parts answer different questions.
    """
    if not parts:
        return []
    asked = [(counts.field, len(counts.bucket_counts)) for counts in parts[0]]
    for part in parts:
        answered = [(counts.field, len(counts.bucket_counts)) for counts in part]
        if answered != asked:
            raise TransientError(
                "other_version",
                f"shards counted {asked} and {answered}: broker and searchers must be of one version and one "
                "filter_attributes; vitrine stop, vitrine start",
            )
    return [_merged(of_field) for of_field in zip(*parts, strict=True)]


def _merged(parts: Sequence[FacetCounts]) -> FacetCounts:
    totals: dict[str, int] = {}
    for part in parts:
        for value, count in zip(part.values, part.counts, strict=True):
            totals[value] = totals.get(value, 0) + count
    ordered = sorted(totals.items(), key=lambda item: (-item[1], item[0]))
    return FacetCounts(
        parts[0].field,
        values=[value for value, _ in ordered],
        counts=[count for _, count in ordered],
        bucket_counts=[sum(bucket) for bucket in zip(*(part.bucket_counts for part in parts), strict=True)],
        low=min((part.low for part in parts if part.low is not None), default=None),
        high=max((part.high for part in parts if part.high is not None), default=None),
        products=sum(part.products for part in parts),
    )


_encoder = msgspec.msgpack.Encoder()
_wanted_decoder = msgspec.msgpack.Decoder(tuple[FacetWanted, ...])
_counts_decoder = msgspec.msgpack.Decoder(list[FacetCounts])


def encode_wanted(wanted: Sequence[FacetWanted]) -> bytes:
    """For a searcher; b"" for none."""
    return _encoder.encode(wanted) if wanted else b""


def decode_wanted(data: bytes, fields: Fields) -> tuple[FacetWanted, ...]:
    """What `encode_wanted` made. Raises `RejectedError` for other bytes, and for fields that are not there."""
    if not data:
        return ()
    try:
        wanted = _wanted_decoder.decode(data)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
        raise RejectedError("invalid_question", f"no facets of this version: {error}") from error
    if len(wanted) > MAX_FACETS or any(len(facet.ranges) > MAX_RANGES for facet in wanted):
        raise RejectedError("invalid_question", f"facets: up to {MAX_FACETS} are counted, each by {MAX_RANGES} ranges")
    for facet in wanted:
        if not all(map(math.isfinite, facet.ranges)) or any(low >= high for low, high in pairwise(facet.ranges)):
            raise RejectedError("invalid_question", "facets: bounds of ranges must be finite and ascend, each once")
        field = fields.get(facet.field)
        if field is None or (facet.ranges and not field.kind.numeric):
            raise RejectedError("invalid_question", f"facets: nothing is counted by {facet.field[:80]!r} here")
    return wanted


def encode_counts(counts: Sequence[FacetCounts]) -> bytes:
    """For a broker or blender; b"" for none."""
    return _encoder.encode(counts) if counts else b""


def decode_counts(data: bytes) -> list[FacetCounts]:
    """What `encode_counts` made. Raises `TransientError('other_version', ...)` for other bytes."""
    try:
        return _counts_decoder.decode(data) if data else []
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
        raise TransientError(
            "other_version", f"no counts of this version: {error}; vitrine stop, vitrine start"
        ) from error
