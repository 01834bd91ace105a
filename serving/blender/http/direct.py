"""A route whose ordinary requests pass FastAPI by: it documents them, and words what is wrong with the others.

Solving a route's parameters takes FastAPI longer than the broker takes for a
query. Here the query string is looked at first: one that can mean but one
thing is read, and the route's function called with it; any other (a parameter
out of range, one that is unknown, written otherwise) takes FastAPI's own way,
with the same function at its end.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Coroutine
from typing import Any

from fastapi import Request, Response
from fastapi.routing import APIRoute

from serving.blender.http.uploads import DEFAULT_LIMIT

_PLAIN = re.compile(rb"(?:limit=([1-9][0-9]?|100))?(?:(?:^|&)generation=([A-Za-z0-9-]{0,64}))?")
"""`limit` from 1 to `MAX_LIMIT`, then `generation`; each may be absent."""


class DirectRoute(APIRoute):
    """For a function (request, limit, generation) -> Response; both parameters have their defaults."""

    def get_route_handler(self) -> Callable[[Request], Coroutine[Any, Any, Response]]:
        documented = super().get_route_handler()
        endpoint: Callable[[Request, int, str], Coroutine[Any, Any, Response]] = self.endpoint

        async def handle(request: Request) -> Response:
            plain = _PLAIN.fullmatch(request.scope["query_string"])
            if plain is None:
                return await documented(request)
            limit, generation = plain.groups()
            wanted = DEFAULT_LIMIT if limit is None else int(limit)
            return await endpoint(request, wanted, "" if generation is None else generation.decode())

        return handle
