"""Who may ask what: API keys, if there are any, before a request reaches its route."""

from __future__ import annotations

import logging
import time
from collections.abc import Mapping
from pathlib import Path
from types import MappingProxyType

from fastapi import FastAPI
from starlette.datastructures import Headers
from starlette.routing import Match, Route
from starlette.types import ASGIApp, Receive, Scope, Send

from schemas.access.api_keys import ApiKey, ApiKeys, Role, read_keys
from schemas.errors import CorruptError, OperatorError
from serving.blender.http.allowance import ALLOWANCE, Allowance, TooManyError
from serving.blender.http.errors import refuse
from serving.blender.http.routes.product_path import PRODUCT

log = logging.getLogger(__name__)

OPEN: frozenset[Role] = frozenset()
"""Needs no key."""
SEARCH = frozenset((Role.SEARCH,))
OPERATE = frozenset((Role.OPERATE,))
ANY = frozenset(Role)

NEEDED: Mapping[str, frozenset[Role]] = MappingProxyType(
    {
        "/healthz": OPEN,
        "/readyz": OPEN,
        "/docs": OPEN,
        "/openapi.json": OPEN,
        "page": OPEN,
        "/v1/search": SEARCH,
        "/v1/search/image": SEARCH,
        "/v1/search/hybrid": SEARCH,
        "/v1/search/vector": SEARCH,
        "/v1/search/text": SEARCH,
        "/v1/search/batch": SEARCH,
        "/v1/search/items": SEARCH,
        "/v1/suggest": SEARCH,
        "/v1/clicks": SEARCH,
        f"{PRODUCT}/similar": SEARCH,
        f"{PRODUCT}/status": ANY,
        f"{PRODUCT}/erase": frozenset((Role.ERASE,)),
        "/v1/picture": SEARCH,
        "/v1/examples": SEARCH,
        "/v1/examples/{number}/photo": SEARCH,
        "/v1/index": OPERATE | SEARCH,
        "/v1/report": OPERATE,
        "/metrics": OPERATE,
    }
)
"""Which role opens which route: one of those named. A route that is not here is opened by no key at all."""

LOOK_S = 1.0
"""How often the file is looked at, while requests come."""


class KeyRing:
    """The keys of a file, as it is now. Lives on one event loop; a look is a `stat`, microseconds.

    A file that cannot be read any more leaves the keys as they were, and is
    logged; one that is gone has no keys.
    """

    def __init__(self, file: Path, look_s: float = LOOK_S) -> None:
        """Raises `OperatorError` when there is no such file, or it is damaged: nobody could ask anything."""
        self._file = file
        self._look_s = look_s
        self._allowances: dict[str, Allowance] = {}
        try:
            self._stamp = self._now_stamp()
            self._keys = read_keys(file)
        except (OSError, CorruptError) as error:
            raise OperatorError(
                f"api_keys_file: {error}; vitrine keys add makes the file, an empty setting asks for no keys"
            ) from error
        self._looked_at = time.monotonic()
        log.info("event=api_keys_read keys=%d", len(self._keys.keys))

    def find(self, text: str) -> tuple[ApiKey, Allowance] | None:
        """The key that `text` is, with what it still may ask for."""
        self._look()
        key = self._keys.find(text)
        if key is None:
            return None
        allowance = self._allowances.get(key.id)
        if allowance is None or not allowance.fits(key):
            allowance = self._allowances[key.id] = Allowance(key)
        return key, allowance

    def _look(self) -> None:
        if time.monotonic() - self._looked_at < self._look_s:
            return
        self._looked_at = time.monotonic()
        try:
            stamp = self._now_stamp()
            if stamp == self._stamp:
                return
            self._keys, self._stamp = read_keys(self._file), stamp
        except FileNotFoundError:
            self._keys, self._stamp = ApiKeys(), (0, 0, 0)
        except (OSError, CorruptError) as error:
            log.error("event=api_keys_unreadable problem=%s", error)
            return
        known = {key.id for key in self._keys.keys}
        self._allowances = {each: allowance for each, allowance in self._allowances.items() if each in known}
        log.info("event=api_keys_read keys=%d", len(self._keys.keys))

    def _now_stamp(self) -> tuple[int, int, int]:
        status = self._file.stat()
        return status.st_ino, status.st_mtime_ns, status.st_size


class KeyCheck:
    """ASGI middleware. `app`: what it stands before; `routes`: the application whose routes are asked for."""

    def __init__(self, app: ASGIApp, routes: FastAPI, ring: KeyRing) -> None:
        self._app = app
        self._routes = routes
        self._ring = ring

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        needed = NEEDED.get(self._route(scope), None)
        if needed is not None and not needed:
            await self._app(scope, receive, send)
            return
        kind, _, text = Headers(scope=scope).get("authorization", "").partition(" ")
        found = self._ring.find(text.strip()) if kind.lower() == "bearer" else None
        if found is None:
            detail = "send a key that is known here as `Authorization: Bearer KEY`; vitrine keys add makes one"
            await refuse(scope, receive, send, 401, "key_missing", detail, www_authenticate="Bearer")
            return
        key, allowance = found
        if needed is None or needed.isdisjoint(key.roles):
            roles = " or ".join(sorted(needed or ())) or "none that there is"
            detail = f"this needs a key of the role {roles}; the key {key.name!r} has {', '.join(key.roles)}"
            await refuse(scope, receive, send, 403, "role_missing", detail)
            return
        try:
            allowance.request()
        except TooManyError as error:
            retry = str(error.retry_after_s)
            await refuse(scope, receive, send, 429, "too_many_requests", str(error), retry_after=retry)
            return
        scope[ALLOWANCE] = allowance
        await self._app(scope, receive, send)

    def _route(self, scope: Scope) -> str:
        """The path of the route that will answer, chosen as the router does; "page" for what is mounted or nowhere."""
        partly = ""
        for route in self._routes.routes:
            match = route.matches(scope)[0]
            path = route.path if isinstance(route, Route) else "page"
            if match is Match.FULL:
                # A known path's wrong method falls to the page, which refuses it; it needs what the path needs.
                return path if path != "page" else partly or path
            if match is Match.PARTIAL and not partly:
                partly = path
        return partly or "page"
