"""What a search found, as it travels between searcher, broker and blender: in columns, a value an image.

One object a hit would cost ten times what the columns cost to make, and to
read: a message is a Python object, a column is filled in one call.
"""

from __future__ import annotations

from collections.abc import Sequence
from itertools import accumulate, chain, starmap
from operator import attrgetter

import msgspec

from schemas.errors import TransientError
from schemas.search_pb2 import Found

_ID_BYTES = 16


class Hit(msgspec.Struct, frozen=True, gc=False):
    """One image found, as it stands when the answer is made. `score`: inner product.

    `price`, `praise` NaN and `sales` -1: unknown. `attributes`: a JSON object;
    `attributes_omitted`: its length where it was left out, since most hits are
    never shown. `vector`: little-endian float32, b"" where it was not asked for;
    `key`: what a listing is ordered by, ascending, NaN at the end.
    `colours`, `said`: what the picture shows (`schemas.features.colours`, `schemas.features.said`), where asked for.
    """

    image_id: bytes
    product_id: str
    score: float
    url: str
    price: float
    sales: int
    praise: float
    attributes: bytes
    state_seq: int
    attributes_omitted: int = 0
    vector: bytes = b""
    key: float = 0.0
    colours: int = 0
    said: bytes = b""


def encode_found(found: Sequence[Sequence[Hit]]) -> Found:
    """Of each query what was found, best first."""
    hits = list(chain.from_iterable(found))
    return Found(
        counts=[len(line) for line in found],
        image_ids=b"".join([hit.image_id for hit in hits]),
        product_ids=[hit.product_id for hit in hits],
        scores=[hit.score for hit in hits],
        urls=[hit.url for hit in hits],
        prices=[hit.price for hit in hits],
        sales=[hit.sales for hit in hits],
        praises=[hit.praise for hit in hits],
        attributes=[hit.attributes for hit in hits],
        state_seqs=[hit.state_seq for hit in hits],
        attributes_omitted=[hit.attributes_omitted for hit in hits],
        # Most answers have none of these: nothing is put into their columns.
        vectors=b"".join([hit.vector for hit in hits]),
        keys=[hit.key for hit in hits] if any(hit.key for hit in hits) else (),
        colours=[hit.colours for hit in hits] if any(hit.colours for hit in hits) else (),
        said=[hit.said for hit in hits] if any(hit.said for hit in hits) else (),
    )


def decode_found(found: Found, queries: int) -> list[list[Hit]]:
    """Of each of the queries what was found. Raises `TransientError('other_version', ...)` for another number."""
    counts = list(found.counts)
    if len(counts) != queries:
        raise TransientError(
            "other_version",
            f"an answer to {len(counts)} of {queries} queries: blender, broker and searchers must be of one version; "
            "vitrine stop, vitrine start",
        )
    ids = found.image_ids
    columns = zip(
        [ids[start : start + _ID_BYTES] for start in range(0, len(ids), _ID_BYTES)],
        found.product_ids,
        found.scores,
        found.urls,
        found.prices,
        found.sales,
        found.praises,
        found.attributes,
        found.state_seqs,
        found.attributes_omitted,
        strict=True,
    )
    try:
        hits = list(starmap(Hit, columns))
        if found.vectors or found.keys or found.colours or found.said:
            hits = _with_further(hits, found)
    except ValueError as error:
        raise TransientError("other_version", f"the columns of an answer are not of one length: {error}") from error
    return [hits[end - count : end] for count, end in zip(counts, accumulate(counts), strict=True)]


def _with_further(hits: list[Hit], found: Found) -> list[Hit]:
    """The hits with the columns that few answers have."""
    size = len(found.vectors) // len(hits) if hits else 0
    vectors = [found.vectors[size * i : size * (i + 1)] for i in range(len(hits))]
    keys = found.keys or [0.0] * len(hits)
    colours = found.colours or [0] * len(hits)
    said = found.said or [b""] * len(hits)
    return [
        msgspec.structs.replace(hit, vector=vector, key=key, colours=code, said=text)
        for hit, vector, key, code, text in zip(hits, vectors, keys, colours, said, strict=True)
    ]


_BY_SCORE = attrgetter("score")


def by_key(hit: Hit) -> tuple[bool, float, float, int]:
    """The order of a listing: by key, unknown ones last, then by score, then by product, the same everywhere."""
    return hit.key != hit.key, hit.key, -hit.score, int.from_bytes(hit.image_id[:8], "little")


def merge_found(parts: Sequence[Found], queries: int, limit: int) -> Found:
    """Of each query the best `limit` of all parts; equal scores in the order of the parts."""
    if len(parts) == 1:
        return parts[0]
    decoded = [decode_found(part, queries) for part in parts]
    return encode_found(
        [
            sorted(chain.from_iterable(part[query] for part in decoded), key=_BY_SCORE, reverse=True)[:limit]
            for query in range(queries)
        ]
    )


def merge_listed(parts: Sequence[Found], limit: int) -> Found:
    """The first `limit` of the listings of all parts. `TransientError('other_version', ...)` where one has none."""
    hits = chain.from_iterable(decode_found(part, 1)[0] for part in parts)
    return encode_found([sorted(hits, key=by_key)[:limit]])
