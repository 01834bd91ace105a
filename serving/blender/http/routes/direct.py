"""Routes whose requests pass FastAPI's parameters by: it documents them, and this reads them.

Solving a route's parameters takes FastAPI longer than the broker takes for a
query. The ordinary query string, a limit and a generation or nothing, is read
here at once; any other is a question with options, read as such.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Coroutine
from typing import Any

from fastapi import Request, Response
from fastapi.routing import APIRoute

from schemas.query.body import DEFAULT_LIMIT

_PLAIN = re.compile(rb"(?:limit=([1-9][0-9]?|100))?(?:(?:^|&)generation=([A-Za-z0-9-]{0,64}))?")
"""`limit` from 1 to `MAX_LIMIT`, then `generation`; each may be absent."""


class DirectRoute(APIRoute):
    """For a function (request) -> Response, called as it is."""

    def get_route_handler(self) -> Callable[[Request], Coroutine[Any, Any, Response]]:
        return self.endpoint


def plain_options(request: Request) -> tuple[int, str] | None:
    """Limit and generation, where the query string asks for nothing else."""
    plain = _PLAIN.fullmatch(request.scope["query_string"])
    if plain is None:
        return None
    limit, generation = plain.groups()
    wanted = DEFAULT_LIMIT if limit is None else int(limit)
    return wanted, "" if generation is None else generation.decode()
