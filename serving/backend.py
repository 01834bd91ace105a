"""The one port of the serving tier: what a searcher, a broker and the blender's view of either have in common.

A searcher is a `SearchBackend` of one shard, a broker one of all shards; both
speak it over gRPC (`serving.grpc_api`) or in the same process
(`serving.local`). One contract suite runs over every form.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Protocol

from schemas.errors import RejectedError, TransientError
from schemas.search_pb2 import (
    DetailsRequest,
    DetailsResponse,
    ProductRequest,
    ProductResponse,
    SearchRequest,
    SearchResponse,
    StatusRequest,
    StatusResponse,
)

EXTRACTOR_MISMATCH = "extractor_mismatch"
OWN_VECTORS = "own_vectors"
INVALID_QUERY = "invalid_query"
NOT_READY = "not_ready"
OTHER_VERSION = "other_version"
OVERDUE = "overdue"
OVERLOADED = "overloaded"
UNREACHABLE = "unreachable"
UNKNOWN_GENERATION = "unknown_generation"

VERSION = 2
"""What of a request this version applies. Every answer says it, since Protobuf passes over fields it does not know.

Grows with each field of a request that changes what is found or counted. 0: of before it was said, which may know the
nearest vectors alone; 1: filter, words, lists and their order, counts, images' vectors, suggestions; 2: several
questions in one call.
"""

MAX_IMAGES_PER_QUERY = 65_536
"""Most images that one query may ask for: 100 products, each with the 500 images that a product may have, and more."""

MAX_DETAILS = 1000
"""Products that details may be asked for at once."""


def is_plain(request: SearchRequest) -> bool:
    """It asks for the images nearest to its vectors, and for nothing else."""
    return request.count > 0 and not (
        request.filter or request.words or request.facets or request.listing or request.with_vectors or request.explain
    )


def check_applied(request: SearchRequest, answer: SearchResponse, who: str) -> None:
    """An answer of a version that passed over what was asked is none: it would show what the filter forbids, say.

    `who` answered. Raises `TransientError('other_version', ...)`, unless the nearest images alone were asked for.
    """
    if answer.version < VERSION and not is_plain(request):
        raise TransientError(
            OTHER_VERSION,
            f"{who} is of an earlier version ({answer.version}, this is {VERSION}) and passed over the filter, the "
            "words or the counts that were asked for; vitrine stop, vitrine start",
        )


def unknown_generation(name: str, held: Iterable[str]) -> RejectedError:
    """No searcher holds the generation that a query names; `held`: those that they do."""
    return RejectedError(
        UNKNOWN_GENERATION,
        f"no searcher holds a generation {name!r} (they hold: {', '.join(sorted(held)) or 'none'}); vitrine alias "
        "lists those on disk and holds one beside the serving one with --beside",
    )


class SearchBackend(Protocol):
    """Called from one event loop. The messages passed in and out belong to the caller.

    Every method raises `RejectedError` (reason `extractor_mismatch`,
    `invalid_query` or `unknown_generation`: asking again is of no use) or
    `TransientError` (reason `not_ready`, `overdue`, `unreachable` or
    `internal`: another replica, or this one later, may answer).
    """

    async def search(self, request: SearchRequest, timeout_s: float) -> SearchResponse:
        """The best images per query, best first. A broker names shards without an answer in `missing_shards`.

        Whoever asks checks with `check_applied` that all of the request was applied.
        """

    async def product(self, request: ProductRequest, timeout_s: float) -> ProductResponse:
        """What every replica of the product's shard holds of it, in every generation or in that named."""

    async def details(self, request: DetailsRequest, timeout_s: float) -> DetailsResponse:
        """What is shown of these products: whole, in the order asked for, as long as `max_bytes` reach."""

    async def status(self, timeout_s: float, request: StatusRequest | None = None) -> StatusResponse:
        """Counts, digest, position of every generation that every replica holds.

        `request` says who asks and what it routes to; None: somebody who only looks.
        """

    async def close(self) -> None:
        """Lets go of connections and threads; not to be used afterwards."""
