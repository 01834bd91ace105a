"""Whether a server can be a store: what it says of itself."""

from __future__ import annotations

from feature_store.server.errors import WANTED
from feature_store.server.line import Line
from schemas.errors import OperatorError

_REDIS = (6, 2)
_VALKEY = (7, 2)
_KVROCKS = (2, 4)


def told(line: Line, section: str) -> dict[str, str]:
    """A section of INFO."""
    (answer,) = line.call(("INFO", section))
    text: str = answer.decode(errors="replace")
    return dict(row.split(":", 1) for row in text.splitlines() if ":" in row)


def inspect(line: Line) -> None:
    """Raises `OperatorError` for a server that would not keep what it is given, or cannot do what a store asks."""
    check(told(line, "server"), told(line, "memory"), line.address)


def check(server: dict[str, str], memory: dict[str, str], address: str) -> None:
    """As `inspect`, of what it said."""
    for field, name, least in (
        ("kvrocks_version", "Kvrocks", _KVROCKS),
        ("valkey_version", "Valkey", _VALKEY),
        ("redis_version", "Redis", _REDIS),
    ):
        if field in server:
            if _version(server[field]) < least:
                raise OperatorError(f"the store's server {address} is {name} {server[field]}; wanted: {WANTED}")
            break
    else:
        raise OperatorError(f"the store's server {address} does not say what it is; wanted: {WANTED}")
    policy = memory.get("maxmemory_policy", "noeviction")
    if policy != "noeviction" and memory.get("maxmemory", "0") != "0":
        raise OperatorError(
            f"the store's server {address} throws records away when its memory is full (maxmemory-policy {policy}); "
            f"set maxmemory-policy to noeviction: it is a store, not a cache"
        )


def _version(text: str) -> tuple[int, ...]:
    numbers = text.lstrip("v").split("-")[0].split(".")[:2]
    return tuple(int(number) for number in numbers if number.isdigit())
