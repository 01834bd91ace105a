"""What every request passes before a route is looked for: its Host is one of ours, and HEAD is GET without a body."""

from __future__ import annotations

import ipaddress
from collections.abc import Iterable
from functools import lru_cache

from starlette.types import ASGIApp, Receive, Scope, Send

from serving.blender.http.errors import refuse


class AllowedHosts:
    """Names that a client may call this server by.

    A page in a browser can have its own name resolve to our address (DNS
    rebinding) and then read what we answer, but it cannot change the name it
    says. So numeric addresses and localhost are always allowed, and other
    names when they are listed: exact, `*.example.com`, or `*` for any.
    """

    def __init__(self, names: Iterable[str] = ()) -> None:
        listed = [name.lower().rstrip(".") for name in names]
        self._exact = frozenset(("localhost", *(name for name in listed if "*" not in name)))
        self._suffixes = tuple(name[1:] for name in listed if name.startswith("*."))
        self._any = "*" in listed
        self.allows = lru_cache(maxsize=256)(self._allows)
        """Whether a host, as in the header with or without a port, is one of them."""

    def _allows(self, host: str) -> bool:
        name = host.lower().strip()
        name = name[1:].partition("]")[0] if name.startswith("[") else name.partition(":")[0]
        name = name.rstrip(".")
        return self._any or name in self._exact or name.endswith(self._suffixes) or _is_address(name)


def _is_address(name: str) -> bool:
    try:
        ipaddress.ip_address(name)
    except ValueError:
        return False
    return True


class FrontDoor:
    """ASGI middleware."""

    def __init__(self, app: ASGIApp, hosts: AllowedHosts) -> None:
        self._app = app
        self._hosts = hosts

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        said = [value.decode("latin-1") for name, value in scope["headers"] if name == b"host"]
        if len(said) > 1 or (not said and scope["http_version"] != "1.0"):
            detail = f"{len(said)} Host headers; send one"
            await refuse(scope, receive, send, 400, "malformed_request", detail)
        elif said and not self._hosts.allows(said[0]):
            detail = f"this server is not called {said[0][:200]!r}; whoever runs it can list the name in allowed_hosts"
            await refuse(scope, receive, send, 421, "unknown_host", detail)
        elif scope["method"] == "HEAD":
            # The server leaves the body out: it knows what was asked.
            inner = {**scope, "method": "GET"}
            try:
                await self._app(inner, receive, send)
            finally:
                if "route" in inner:
                    scope["route"] = inner["route"]
        else:
            await self._app(scope, receive, send)
